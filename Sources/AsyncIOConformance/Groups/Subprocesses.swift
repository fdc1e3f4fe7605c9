internal import AsyncIO
internal import CAsyncIO
internal import CConformance
internal import SystemPackage

extension ConformanceSuite {
  /// Group K, what a task does with a child process.
  static let subprocessChecks: [ConformanceCheck] = [
    ConformanceCheck(130, "A child echoes a line", facet: "echo", capabilities: .pipes) { subject in
      try subject.run { _ in
        let child = try await ChildScript.cat.spawn(standardInput: .pipe, standardOutput: .pipe)
        try await subject.unwrap("stdin", child.standardInput).write("hello\n")
        try subject.expect("line", try await child.standardOutput?.readLine(), "hello")
        child.standardInput?.close()
        try subject.expect("return code", try await child.wait().returnCode, 0)
      }
    },
    ConformanceCheck(
      130, "A megabyte goes both ways without a deadlock", facet: "communicate", capabilities: .pipes
    ) { subject in
      try subject.run { _ in
        let child = try await ChildScript.cat.spawn(standardInput: .pipe, standardOutput: .pipe)
        let bytes = numbered(0..<1 << 20)
        let (output, _) = try await child.communicate(bytes)
        try subject.expect("the same bytes", output == bytes)
      }
    },
    ConformanceCheck(131, "Exit statuses, and signals as negative numbers", capabilities: .pipes) { subject in
      try subject.run { _ in
        let child = try await ChildProcess.spawn(shell: "exit 42")
        try subject.expect("exit", try await child.wait().returnCode, 42)
        let killed = try await ChildScript.cat.spawn(standardInput: .pipe)
        try killed.kill()
        try subject.expect("signal", try await killed.wait().returnCode, killedCode)
      }
    },
    ConformanceCheck(
      132, "A program that is missing is an error, and nothing is left", capabilities: .pipes, surroundings: .ownProcess
    ) { subject in
      try subject.run { _ in
        // The first use of a thing makes what the process keeps.
        try subject.expect("error", try await startMissingProgram(), "missing")
        // What a tool in this process opens, for instance to name functions, it opens once. A leak goes on.
        var counts = [openDescriptors()]
        for _ in 0..<3 {
          for _ in 0..<50 { _ = try await startMissingProgram() }
          counts.append(openDescriptors())
        }
        try subject.require(zip(counts, counts.dropFirst()).contains { $0 == $1 }, "descriptors: \(counts)")
        try subject.expect("no child", cconformance_reap() == 0)
      }
    },
    ConformanceCheck(
      134, "wait() returns at the exit although a grandchild has the pipe, which streams on", capabilities: .pipes,
      deviation: "CPython up to 3.14 also waits for the pipes."
    ) { subject in
      try subject.run { _ in
        let script = ChildScript(
          shell: "exec 3<&0; (read line <&3; echo late $line) & exit 3", words: "child:line,say:late exit:3")
        let child = try await script.spawn(standardInput: .pipe, standardOutput: .pipe)
        try subject.expect("return code", try await child.wait().returnCode, 3)
        try await child.standardInput?.write("word\n")
        try subject.expect("line", try await child.standardOutput?.readLine(), "late word")
        try subject.expect("end", try await child.standardOutput?.readLine() == nil)
      }
    },
    ConformanceCheck(135, "A child whose status somebody else took is reported as 255", capabilities: .pipes) {
      subject in
      try subject.run { _ in
        let child = try await ChildScript.cat.spawn(standardInput: .pipe)
        child.standardInput?.close()
        var end = casyncio_child_end()
        // This blocks the loop, so the loop cannot be faster.
        let taken = casyncio_process_wait(
          Int64(child.processIdentifier), -1, UInt32(CASYNCIO_WAIT_BLOCKING), &end)
        try subject.expect("taken", taken == 1)
        try subject.expect("return code", try await child.wait().returnCode, 255)
      }
    },
    ConformanceCheck(
      136, "Signals to a child that has ended do nothing", capabilities: .pipes,
      deviation: "CPython throws ProcessLookupError."
    ) { subject in
      try subject.run { _ in
        let child = try await ChildScript.nothing.spawn()
        try await child.wait()
        try subject.expect("kill", try child.kill(), false)
        try subject.expect("terminate", try child.terminate(), false)
        try subject.expect("sendSignal", try child.sendSignal(SIGHUP), false)
      }
    },
    ConformanceCheck(137, "Closing kills a child that runs", facet: "task", capabilities: .pipes) { subject in
      try subject.run { _ in
        let child = try await ChildScript.cat.spawn(standardInput: .pipe, standardOutput: .pipe)
        child.close()
        try subject.expect("return code", try await child.wait().returnCode, killedCode)
      }
    },
    ConformanceCheck(
      137, "Closing ends the group of a child that has ended itself before", facet: "group", capabilities: .pipes,
      deviation: "CPython leaves the group alone."
    ) { subject in
      try subject.run { _ in
        let ends = try subject.pipe(here: .read)
        let child = try await ChildScript(shell: "sleep 1000 & exit 3", words: "child:sleep exit:3").spawn(
          standardInput: .null, standardOutput: .descriptor(ends.write), processGroup: .new)
        ends.close(ends.write)
        try subject.expect("return code", try await child.wait().returnCode, 3)
        let reader = try PipeReader(owning: ends.release(ends.read))
        child.close()
        // No process has the other end any more.
        try subject.expect("rest", try await reader.readToEnd(), [])
        reader.close()
      }
    },
    ConformanceCheck(138, "Cancelled while it starts, a child is killed and reaped first", capabilities: .pipes) {
      subject in
      try subject.run { loop in
        // The system may be faster than the cancellation; then try once more.
        for _ in 0..<100 {
          let ends = try subject.pipe(here: .read)
          let starting = try loop.createTask {
            try await ChildScript.cat.spawn(standardInput: .pipe, standardOutput: .descriptor(ends.write))
          }
          try await sleep(for: .zero)
          starting.cancel()
          do {
            let child = try await starting.get()
            child.close()
            try await child.wait()
            ends.close(ends.write)
          } catch is CancellationError {
            ends.close(ends.write)
            let reader = try PipeReader(owning: ends.release(ends.read))
            // The process that had the other end is gone.
            try subject.expect("output", try await reader.readToEnd().count, 0)
            reader.close()
            return subject.saw("start", "cancelled")
          }
        }
        try subject.fail("no start was slow enough to be cancelled")
      }
    },
    ConformanceCheck(139, "Children of a loop in another thread", capabilities: .pipes) { subject in
      let loop = try subject.makeLoop()
      let thread = CheckThread {
        let script = ChildScript(shell: "cat; exit 7", words: "cat exit:7")
        return Result { try loop.run { try await script.run(input: Array("in".utf8)) } }
      }
      let outcome = try thread.join().get()
      try subject.expect("output", outcome.text, "in")
      try subject.expect("return code", outcome.status.returnCode, 7)
    },
    ConformanceCheck(140, "500 children at once", capabilities: .pipes, surroundings: .ownProcess) { subject in
      try subject.run { _ in
        let ends = try subject.pipe(here: .write)
        var children: [ChildProcess] = []
        // All of them wait for the end of one pipe, so they run at the same time.
        for number in 0..<500 {
          let script = ChildScript(shell: "read line; exit \(number % 250)", words: "line exit:\(number % 250)")
          children.append(try await script.spawn(standardInput: .descriptor(ends.read)))
        }
        try subject.expect("all run", children.allSatisfy { $0.terminationStatus == nil })
        ends.close(ends.write)
        var right = 0
        for (number, child) in children.enumerated() {
          if try await child.wait() == .exited(Int32(number % 250)) { right += 1 }
        }
        try subject.expect("right statuses", right, 500)
      }
    },
    ConformanceCheck(142, "Standard streams: inherited, null, merged", capabilities: .pipes) { subject in
      try subject.run { _ in
        if let own = Process.descriptors[2] {
          let inherited = try await ChildProcess.run("readlink", ["/proc/self/fd/2"], standardError: .inherit)
          try subject.expect("inherit", inherited.text == own + "\n")
          let null = try await ChildProcess.run("readlink", ["/proc/self/fd/2"], standardError: .null)
          try subject.expect("null", null.text, "/dev/null\n")
        }
        let script = ChildScript(shell: "echo a; echo b >&2; echo c", words: "out:a err:b out:c")
        let merged = try await script.run(standardError: .output)
        try subject.expect("merged", merged.text, "a\nb\nc\n")
        let empty = try await ChildScript.cat.spawn(standardInput: .null, standardOutput: .pipe)
        try subject.expect("null input", try await empty.communicate().output.count, 0)
      }
    },
  ]
}

/// Return what happens to it: "missing".
private func startMissingProgram() async throws -> String {
  do {
    _ = try await ChildProcess.spawn(
      "no-such-program", standardInput: .pipe, standardOutput: .pipe, standardError: .pipe)
    return "started"
  } catch let error as IOError {
    return error.errno == .noSuchFileOrDirectory ? "missing" : "\(error)"
  }
}

/// Return how many descriptors this process has.
private func openDescriptors() -> Int {
  (0..<4096 as Range<Int32>).count(where: isOpen)
}

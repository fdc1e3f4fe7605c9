#if os(Linux)
  import CAsyncIO
  import Glibc
  import SystemPackage
  import Testing

  @testable import AsyncIO

  /// True if the process is gone and its status was taken.
  func isReaped(_ process: Int32) -> Bool {
    var info = siginfo_t()
    return waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD
  }

  /// How the end of a child is noticed.
  enum Watching: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
    case descriptor, thread
    var testDescription: String { rawValue }

    func callAsFunction<R>(_ body: () async throws -> R) async throws -> R {
      try await ChildWatching.$isByThread.withValue(self == .thread) { try await body() }
    }
  }

  extension RealComponents {
    @Suite struct ChildProcesses {
      // MARK: Statuses

      @Test("Exit statuses and deaths by a signal, for many who wait", arguments: LoopKind.allCases, Watching.allCases)
      func statuses(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            for status in [0, 1, 77, 255] as [Int32] {
              let child = try await ChildProcess.spawn(shell: "exit \(status)")
              #expect(try await child.wait() == .exited(status))
              #expect(child.terminationStatus?.returnCode == status)
              #expect(try await child.wait().isSuccess == (status == 0), "again")
              #expect(isReaped(child.processIdentifier))
            }
            let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
            let waiting = try (0..<3).map { _ in try loopTask { try await child.wait() } }
            let gone = try loopTask { try await child.wait() }
            gone.cancel()
            _ = try await failure(CancellationError.self) { _ = try await gone.value }
            #expect(child.terminationStatus == nil)
            #expect(try child.terminate())
            for task in waiting { #expect(try await task.value == .signaled(SIGTERM)) }
            #expect(child.terminationStatus?.returnCode == -15)
            #expect(try !child.kill(), "after the end it does nothing")
            #expect(try !child.sendSignal(0))
          }
        }
      }

      @Test("A child that ignores SIGTERM is killed", arguments: LoopKind.allCases, Watching.allCases)
      func stubborn(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            let child = try await ChildProcess.spawn(
              shell: "trap '' TERM; echo ready; read line; echo $line", standardInput: .pipe, standardOutput: .pipe)
            #expect(try await child.standardOutput!.readLine() == "ready")
            try child.terminate()
            expectRefusal(.invalidArgument) { try child.sendSignal(1000) }
            try await child.standardInput!.write("alive\n")
            #expect(try await child.standardOutput!.readLine() == "alive")
            try child.kill()
            let status = try await child.wait()
            #expect(status == .signaled(SIGKILL) || status == .exited(0), "it may be faster")
          }
        }
      }

      @Test("200 children at once", arguments: LoopKind.allCases, Watching.allCases)
      func many(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            try await withThrowingTaskGroup(of: Bool.self) { group in
              for number in 0..<200 as Range<Int32> {
                group.addTask {
                  let child = try await ChildProcess.spawn("/bin/sh", ["-c", "exit \(number)"])
                  return try await child.wait() == .exited(number) && isReaped(child.processIdentifier)
                }
              }
              for try await isRight in group { #expect(isRight) }
            }
          }
        }
      }

      @Test("A status that somebody else took is 255, with a warning", arguments: LoopKind.allCases, Watching.allCases)
      func reapedElsewhere(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { loop in
          let log = CapturedLog(of: loop)
          try await watching {
            let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
            let process = child.processIdentifier
            child.standardInput!.close()
            // Before the loop can: it is this thread.
            var status: Int32 = 0
            #expect(waitpid(process, &status, 0) == process)
            #expect(try await child.wait() == .lost)
            #expect(child.terminationStatus?.returnCode == 255)
            #expect(try !child.kill())
          }
          #expect(log.messages.contains { $0.contains("was taken by other code") })
        }
      }

      // MARK: Streams

      @Test("A megabyte both ways", arguments: LoopKind.allCases, Watching.allCases)
      func communicate(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            let child = try await ChildProcess.spawn(
              shell: "tee /dev/stderr", standardInput: .pipe, standardOutput: .pipe, standardError: .pipe)
            let bytes = numbered(0..<1 << 20)
            let (output, error) = try await child.communicate(bytes)
            #expect(output == bytes)
            #expect(error == bytes)
            #expect(child.terminationStatus == .exited(0))
          }
        }
      }

      @Test("A child that does not read its input is no error; a limit is one", arguments: LoopKind.allCases)
      func communicateEdges(kind: LoopKind) async throws {
        try await kind.run { _ in
          let deaf = try await ChildProcess.spawn(shell: "echo deaf", standardInput: .pipe, standardOutput: .pipe)
          let (output, _) = try await deaf.communicate(numbered(0..<1 << 20))
          #expect(output == Array("deaf\n".utf8))

          // The other stream is not read any more either, so the child hangs; `scoped` ends it.
          let loud = try await ChildProcess.spawn(
            shell: "yes >&2 & yes", standardInput: .pipe, standardOutput: .pipe, standardError: .pipe,
            processGroup: .new)
          let overrun = try await failure(LimitOverrunError.self) {
            _ = try await loud.scoped { try await $0.communicate(limit: 100_000) }
          }
          #expect(overrun.limit == 100_000)
          #expect(loud.terminationStatus == .signaled(SIGKILL))
          let mute = try await ChildProcess.spawn("true")
          let refusal = try await failure(EventLoopError.self) { _ = try await mute.communicate("x") }
          #expect(refusal.code == .invalidArgument)
          let (nothing, noError) = try await mute.communicate()
          #expect(nothing.isEmpty && noError.isEmpty)
        }
      }

      @Test("Standard streams: null, merged, descriptors, swapped", arguments: LoopKind.allCases)
      func streams(kind: LoopKind) async throws {
        try await kind.run { _ in
          let merged = try await ChildProcess.run(
            "sh", ["-c", "echo out; echo err >&2; cat"], input: Array("in".utf8), standardError: .output)
          #expect(merged.text == "out\nerr\nin")
          let silent = try await ChildProcess.spawn(
            shell: "cat; echo x; echo y >&2", standardInput: .null, standardOutput: .null, standardError: .null)
          #expect(try await silent.wait() == .exited(0))
          #expect(silent.standardInput == nil && silent.standardOutput == nil && silent.standardError == nil)

          let (first, second) = (try makePipe(), try makePipe())
          let child = try await ChildProcess.spawn(
            shell: "echo out; echo err >&2", standardOutput: .descriptor(first.write),
            standardError: .descriptor(second.write))
          try await child.wait()
          for (ends, text) in [(first, "out"), (second, "err")] {
            _ = CAsyncIO.close(ends.write)
            let reader = try PipeReader(owning: ends.read)
            #expect(try await reader.readToEnd() == Array("\(text)\n".utf8))
            reader.close()
          }
          let dead = try await failure(IOError.self) {
            _ = try await ChildProcess.spawn("true", standardInput: .descriptor(19_999))
          }
          #expect(dead.errno == .badFileDescriptor)
        }
      }

      @Test("A grandchild that keeps the pipe: wait() returns, the pipe streams on", arguments: LoopKind.allCases)
      func grandchild(kind: LoopKind) async throws {
        try await kind.run { _ in
          let other = try await ChildProcess.spawn(
            shell: "exec 3<&0; (read line <&3; echo late $line) & echo $!; exit 3", standardInput: .pipe,
            standardOutput: .pipe)
          let output = try #require(other.standardOutput)
          let grandchild = try #require(try await output.readLine())
          #expect(!grandchild.isEmpty)
          #expect(try await other.wait() == .exited(3))
          try await other.standardInput!.write("word\n")
          #expect(try await output.readLine() == "late word")
          #expect(try await output.readLine() == nil)
        }
      }

      // MARK: Starting

      @Test("What cannot be started is an error, and leaves no child and no descriptor", arguments: LoopKind.allCases)
      func failures(kind: LoopKind) async throws {
        try await kind.run { _ in
          func error(_ body: () async throws -> ChildProcess) async throws -> IOError {
            try await failure(IOError.self) { _ = try await body() }
          }
          #expect(try await error { try await .spawn("no-such-program") }.errno == .noSuchFileOrDirectory)
          #expect(try await error { try await .spawn("/no/such/program") }.errno == .noSuchFileOrDirectory)
          #expect(try await error { try await .spawn("/etc/passwd") }.errno == .permissionDenied)
          #expect(try await error { try await .spawn("/etc/passwd/x") }.errno == .notDirectory)
          let directory = try await error { try await .spawn("true", workingDirectory: "/no/such") }
          #expect(directory.errno == .noSuchFileOrDirectory && directory.description.contains("working directory"))
          let large = String(repeating: "x", count: 200_000)
          #expect(try await error { try await .spawn("true", [large]) }.errno == .argListTooLong)
          func refusal(_ body: () async throws -> ChildProcess) async throws -> EventLoopError.Code {
            try await failure(EventLoopError.self) { _ = try await body() }.code
          }
          #expect(try await refusal { try await .spawn("") } == .invalidArgument)
          #expect(try await refusal { try await .spawn("tr\0ue") } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", ["a\0b"]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", environment: ["A=B": ""]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", environment: ["": ""]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", environment: ["A": "\0"]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", workingDirectory: "") } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", standardInput: .descriptor(-2)) } == .invalidArgument)
        }
        let outside = try await failure(EventLoopError.self) { _ = try await ChildProcess.spawn("true") }
        #expect(outside.code == .noRunningLoop)
      }

      @Test("Environment, working directory and search path", arguments: LoopKind.allCases)
      func surroundings(kind: LoopKind) async throws {
        try await kind.run { _ in
          let variables = try await ChildProcess.run("/usr/bin/env", environment: ["A": "1 = 2", "B": ""])
          #expect(Set(variables.text.split(separator: "\n")) == ["A=1 = 2", "B="])
          let inherited = try await ChildProcess.run("env")
          #expect(inherited.text.contains("PATH="))
          #expect(ChildProcess.inheritedEnvironment["PATH"] != nil)
          let place = try await ChildProcess.run("pwd", workingDirectory: "/usr")
          #expect(place.text == "/usr\n")

          // The child's PATH counts, what may not be executed is passed over, and relative paths are the child's.
          let (directory, _) = makeTemporary { mkdtemp($0) }
          defer { _ = system("rm -r \(directory)") }
          #expect(
            system(
              """
              cd \(directory); mkdir a b; printf '#!/bin/sh\\necho found' > b/program; chmod +x b/program
              printf 'no' > a/program; mkdir a/folder
              """) == 0)
          let found = try await ChildProcess.run(
            "program", environment: ["PATH": "/no/such:\(directory)/a:\(directory)/b"])
          #expect(found.text == "found\n")
          #expect(try await ChildProcess.run("b/program", workingDirectory: directory).text == "found\n")
          let relative = try await ChildProcess.run(
            "program", environment: ["PATH": "b"], workingDirectory: directory)
          #expect(relative.text == "found\n")
          let denied = try await failure(IOError.self) {
            _ = try await ChildProcess.run("program", environment: ["PATH": "\(directory)/a:/no/such"])
          }
          #expect(denied.errno == .permissionDenied)
        }
      }

      @Test("A child has no blocked or ignored signal of ours, and no descriptor", arguments: LoopKind.allCases)
      func clean(kind: LoopKind) async throws {
        try await kind.run { _ in
          let stray = open("/dev/null", O_RDONLY)
          defer { _ = CAsyncIO.close(stray) }
          let child = try await ChildProcess.run("grep", ["-E", "SigBlk|SigIgn", "/proc/self/status"])
          for line in child.text.split(separator: "\n") {
            let mask = try #require(UInt64(line.split(separator: "\t").last ?? "", radix: 16))
            // Of what the tests' own parent ignores nothing is said here, but for SIGPIPE.
            if line.hasPrefix("SigBlk") { #expect(mask == 0) } else { #expect(mask & 1 << (13 - 1) == 0) }
          }
          let open = try await ChildProcess.run("ls", ["/proc/self/fd"])
          // The fourth is the directory that ls reads.
          #expect(open.text == "0\n1\n2\n3\n")
          let endless = try await ChildProcess.run(shell: "yes | head -n 1")
          #expect(endless.text == "y\n")
        }
      }

      @Test("A group of its own goes with the child", arguments: LoopKind.allCases, Watching.allCases)
      func groups(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            for group in [ChildProcess.ProcessGroup.new, .newSession] {
              let child = try await ChildProcess.spawn(
                shell: "exec 3<&0; cat <&3 & echo ready; wait", standardInput: .pipe, standardOutput: .pipe,
                processGroup: group)
              let output = try #require(child.standardOutput)
              #expect(try await output.readLine() == "ready")
              #expect(getpgid(child.processIdentifier) == child.processIdentifier)
              #expect((getsid(child.processIdentifier) == child.processIdentifier) == (group == .newSession))
              child.watch.kill()
              #expect(try await child.wait() == .signaled(SIGKILL))
              #expect(try await output.readToEnd() == [], "the grandchild is gone, too")
            }
          }
        }
      }

      // MARK: Ends

      @Test("close() and the last reference kill and reap", arguments: LoopKind.allCases, Watching.allCases)
      func closing(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            let child = try await ChildProcess.spawn("cat", standardInput: .pipe, standardOutput: .pipe)
            child.close()
            child.close()
            #expect(try await child.wait() == .signaled(SIGKILL))
            #expect(isReaped(child.processIdentifier))

            func forgotten() async throws -> Int32 {
              try await ChildProcess.spawn("cat", standardInput: .pipe, standardOutput: .pipe).processIdentifier
            }
            let process = try await forgotten()
            try await turnUntil { isReaped(process) }
          }
        }
      }

      @Test(
        "Closing the loop kills and reaps; waiters get `closed` or the status", arguments: LoopKind.allCases,
        Watching.allCases)
      func closedLoop(kind: LoopKind, watching: Watching) async throws {
        let loop = try kind.makeLoop()
        let child = try await loop.run {
          try await watching { try await ChildProcess.spawn("cat", standardInput: .pipe) }
        }
        let waiting = Task { try await child.wait() }
        while !child.watch.isAwaited { await Task.yield() }
        try loop.close()
        switch await waiting.result {
        case .success(let status): #expect(status == .signaled(SIGKILL))
        case .failure(let error): #expect((error as? EventLoopError)?.code == .closed, "\(error)")
        }
        while !isReaped(child.processIdentifier) { await Task.yield() }
        while child.terminationStatus == nil { await Task.yield() }
        #expect(child.terminationStatus == .signaled(SIGKILL))
      }

      @Test("A loop that is dropped with a child takes it along", arguments: LoopKind.allCases, Watching.allCases)
      func droppedLoop(kind: LoopKind, watching: Watching) async throws {
        let process = try await kind.makeLoop().run {
          try await watching { try await ChildProcess.spawn("cat", standardInput: .pipe).processIdentifier }
        }
        while !isReaped(process) { await Task.yield() }
      }

      @Test("Cancelled while it starts: killed and reaped first", arguments: LoopKind.allCases, Watching.allCases)
      func cancelledStart(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            // Names its process before it is cancelled, in a file.
            for round in 0..<20 {
              let ends = try makePipe()
              let starting = try loopTask {
                try await ChildProcess.spawn(
                  shell: "echo $$; exec cat", standardInput: .pipe, standardOutput: .descriptor(ends.write))
              }
              for _ in 0..<round % 4 { try await sleep(for: .zero) }
              starting.cancel()
              // A task keeps its value: the child that was started in time has to be closed.
              let child = try? await starting.value
              child?.close()
              _ = CAsyncIO.close(ends.write)
              let reader = try PipeReader(owning: ends.read)
              // With the child gone its output has ended.
              let named = try await reader.readToEnd()
              reader.close()
              try await child?.wait()
              if let number = Int32(String(decoding: named.dropLast(), as: UTF8.self)) {
                #expect(isReaped(number))
              }
            }
            let early = try loopTask { try await ChildProcess.spawn("true") }
            early.cancel()
            _ = try await failure(CancellationError.self) { _ = try await early.value }
          }
        }
      }

      @Test("run: cancelled, the child is gone when it throws", arguments: LoopKind.allCases)
      func cancelledRun(kind: LoopKind) async throws {
        try await kind.run { _ in
          let ends = try makePipe()
          let running = try loopTask {
            try await ChildProcess.run(
              "sh", ["-c", "echo $$; exec sleep 1000"], standardError: .descriptor(ends.write))
          }
          let direct = try await ChildProcess.spawn(
            shell: "echo ready; exec cat", standardInput: .pipe, standardOutput: .pipe)
          #expect(try await direct.standardOutput!.readLine() == "ready")
          running.cancel()
          _ = try await failure(CancellationError.self) { _ = try await running.value }
          _ = CAsyncIO.close(ends.write)
          let reader = try PipeReader(owning: ends.read)
          #expect(try await reader.readToEnd() == [], "nobody has the other end any more")
          reader.close()
          direct.close()
          try await direct.wait()
        }
      }

      @Test("Nothing is left: no zombie, no descriptor, no watch", arguments: LoopKind.allCases, Watching.allCases)
      func leaks(kind: LoopKind, watching: Watching) async throws {
        await #expect(processExitsWith: .success) { [kind, watching] in
          func round() async throws {
            try await kind.run { _ in
              try await watching {
                for _ in 0..<20 {
                  _ = try await ChildProcess.run("cat", input: numbered(0..<1000), standardError: .pipe)
                  _ = try? await ChildProcess.spawn("no-such-program", standardInput: .pipe, standardOutput: .pipe)
                  _ = try? await ChildProcess.spawn("true", workingDirectory: "/no/such", standardInput: .pipe)
                  let child = try await ChildProcess.spawn("cat", standardInput: .pipe, standardOutput: .pipe)
                  child.close()
                  try await child.wait()
                }
              }
            }
          }
          try await round()
          let before = Holdings.now
          try await round()
          var after = Holdings.now
          for _ in 0..<10_000 where after.descriptors > before.descriptors {
            await Task.yield()
            after = Holdings.now
          }
          precondition(after.descriptors <= before.descriptors, "before: \(before); after: \(after)")
          precondition(after.counters["child watches"] == 0, "\(after)")
          var info = siginfo_t()
          precondition(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD, "a child is left")
        }
      }
    }
  }
#endif

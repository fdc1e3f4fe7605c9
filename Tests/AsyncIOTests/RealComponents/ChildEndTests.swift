#if os(Linux)
  import CAsyncIO
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// Children that are closed, forgotten and cancelled, or whose loop goes.
    @Suite struct ChildEnds {
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

      @Test("A loop that is dropped kills its child", arguments: LoopKind.allCases, Watching.allCases)
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
          let hasChild = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD
          // The program that names functions for the thread sanitizer is a child that lives.
          let isZombie = info._sifields._sigchld.si_pid != 0
          precondition(isThreadSanitized ? !isZombie : !hasChild, "a child is left")
        }
      }
    }
  }
#endif

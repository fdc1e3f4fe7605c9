#if os(Linux)
  import POSIX
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// Children that are asked to end, and have a time for it.
    @Suite struct ChildTermination {
      private func stubborn() async throws -> ChildProcess {
        let child = try await ChildProcess.spawn(
          shell: "trap '' TERM; echo ready; while :; do sleep 1; done", standardOutput: .pipe)
        #expect(try await child.standardOutput!.readLine() == "ready")
        return child
      }

      @Test(
        "A child that ends when it is asked is not killed; one that does not is", arguments: LoopKind.allCases,
        Watching.allCases)
      func grace(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            let obedient = try await ChildProcess.spawn(
              shell: "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", standardOutput: .pipe)
            #expect(try await obedient.standardOutput!.readLine() == "ready")
            #expect(try await obedient.terminate(grace: .seconds(300)) == .exited(7))
            #expect(isReaped(obedient.processIdentifier))
            #expect(try await obedient.terminate(grace: .zero) == .exited(7), "again")
            for grace in [Duration.milliseconds(5), .zero, .seconds(-1)] {
              let child = try await stubborn()
              #expect(try await child.terminate(grace: grace) == .signaled(SIGKILL))
              #expect(isReaped(child.processIdentifier))
              child.close()
            }
            obedient.close()
          }
        }
      }

      @Test(
        "A task that is cancelled, before or meanwhile, kills at once and waits", arguments: LoopKind.allCases,
        [false, true])
      func cancelled(kind: LoopKind, isCancelledBefore: Bool) async throws {
        try await kind.run { loop in
          let child = try await stubborn()
          defer { child.close() }
          let ending = try loop.createTask {
            if isCancelledBefore { withUnsafeCurrentTask { $0?.cancel() } }
            return try await child.terminate(grace: .seconds(3600))
          }
          if !isCancelledBefore {
            try await turnUntil { child.watch.isAwaited }
            ending.cancel()
          }
          await #expect(throws: CancellationError.self) { try await ending.get() }
          #expect(child.terminationStatus == .signaled(SIGKILL) && isReaped(child.processIdentifier))
        }
      }

      @Test("A loop that is closed meanwhile ends the wait, and the child", arguments: LoopKind.allCases)
      func closed(kind: LoopKind) async throws {
        let loop = try kind.makeLoop()
        let codes = Recorder<EventLoopError.Code?>()
        let statuses = Recorder<TerminationStatus>()
        let ending = try await loop.run {
          let child = try await stubborn()
          let ending = try loop.createTask {
            do { statuses.record(try await child.terminate(grace: .seconds(3600))) } catch {
              codes.record((error as? EventLoopError)?.code)
            }
          }
          try await turnUntil { child.watch.isAwaited }
          return ending
        }
        try loop.close()
        try await ending.get()
        // The thread that takes the status may be faster.
        #expect(codes.all == [.closed] || statuses.all == [.signaled(SIGKILL)])
      }
    }
  }
#endif

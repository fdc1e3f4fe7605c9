#if os(Linux)
  import CAsyncIO
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// Process groups whose leader ends before the rest.
    @Suite(.timeLimit(.minutes(5))) struct ChildGroups {
      /// A leader that has ended, and something that it has started and that lives while the pipe is open.
      private struct Group {
        let child: ChildProcess
        let rest: PipeReader

        static func start(_ group: ChildProcess.ProcessGroup) async throws -> Group {
          let ends = try makePipe()
          let child = try await ChildProcess.spawn(
            shell: "sleep 1000 & exit 3", standardInput: .null, standardOutput: .descriptor(ends.write),
            processGroup: group)
          _ = CAsyncIO.close(ends.write)
          #expect(try await child.wait() == .exited(3))
          #expect(child.terminationStatus == .exited(3))
          return Group(child: child, rest: try PipeReader(owning: ends.read))
        }

        /// Wait until nobody has the pipe any more.
        func expectEnd() async throws {
          #expect(try await rest.readToEnd() == [])
          rest.close()
        }
      }

      private static let groups: [ChildProcess.ProcessGroup] = [.new, .newSession]

      @Test(
        "close() ends the group, and only then is the leader's number given away", arguments: LoopKind.allCases,
        Watching.allCases)
      func closing(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            for group in Self.groups {
              let group = try await Group.start(group)
              #expect(!isReaped(group.child.processIdentifier))
              #expect(try !group.child.sendSignal(SIGTERM), "it has ended")
              group.child.close()
              #expect(isReaped(group.child.processIdentifier))
              try await group.expectEnd()
              group.child.close()
              #expect(try await group.child.wait() == .exited(3))
            }
          }
        }
      }

      @Test("So does the last reference, in any thread", arguments: LoopKind.allCases)
      func forgotten(kind: LoopKind) async throws {
        try await kind.run { _ in
          func rest() async throws -> (PipeReader, Int32) {
            let group = try await Group.start(.new)
            return (group.rest, group.child.processIdentifier)
          }
          let (reader, process) = try await rest()
          #expect(try await reader.readToEnd() == [])
          try await turnUntil { isReaped(process) }
          reader.close()
        }
      }

      @Test("So does the close of the loop", arguments: LoopKind.allCases, Watching.allCases)
      func closedLoop(kind: LoopKind, watching: Watching) async throws {
        let loop = try kind.makeLoop()
        let (group, number) = try await loop.run {
          try await watching {
            let group = try await Group.start(.new)
            return (group, dup(group.rest.end.descriptor.fileDescriptor))
          }
        }
        defer { _ = CAsyncIO.close(number) }
        try loop.close()
        #expect(isReaped(group.child.processIdentifier))
        let ended = try await inThread {
          var waited = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
          var byte: UInt8 = 0
          return poll(&waited, 1, 60_000) == 1 && read(number, &byte, 1) == 0
        }
        #expect(ended)
        group.rest.close()
      }

      @Test("run: cancelled while the rest has its pipe, it leaves nothing", arguments: LoopKind.allCases)
      func cancelledRun(kind: LoopKind) async throws {
        try await kind.run { _ in
          let ends = try makePipe()
          let running = try loopTask {
            try await ChildProcess.run(
              shell: "sleep 1000 & echo $$ >&2; exit 0", standardError: .descriptor(ends.write),
              processGroup: .newSession)
          }
          let reader = try PipeReader(owning: ends.read)
          let line = try await reader.readLine()
          let leader = try #require(Int32(line ?? ""))
          // The leader ends, and `run` waits for the output.
          try await turnUntil { hasEnded(leader) }
          running.cancel()
          await #expect(throws: CancellationError.self) { _ = try await running.value }
          #expect(isReaped(leader))
          _ = CAsyncIO.close(ends.write)
          #expect(try await reader.readToEnd() == [], "nobody has the other end any more")
          reader.close()
        }
      }

      @Test("A subprocess transport takes the group along when it ends", arguments: LoopKind.allCases)
      func transports(kind: LoopKind) async throws {
        try await kind.run { loop in
          final class Quiet: SubprocessProtocol {
            var isLost = false
            func connectionLost(_ error: (any Error)?) throws { isLost = true }
          }
          let ends = try makePipe()
          let (transport, quiet) = try await loop.subprocessShell(
            "sleep 1000 & exit 0", standardInput: .null, standardOutput: .descriptor(ends.write), standardError: .pipe,
            processGroup: .new
          ) { Quiet() }
          _ = CAsyncIO.close(ends.write)
          try await turnUntil { transport.terminationStatus != nil }
          #expect(!quiet.isLost && !isReaped(transport.processIdentifier), "the rest has the pipe of errors")
          transport.close()
          try await turnUntil { quiet.isLost }
          #expect(isReaped(transport.processIdentifier))
          let reader = try PipeReader(owning: ends.read)
          #expect(try await reader.readToEnd() == [])
          reader.close()
        }
      }

      @Test("A leader whose status other code took is not signalled", arguments: LoopKind.allCases)
      func taken(kind: LoopKind) async throws {
        try await kind.run { loop in
          let (input, output) = (try makePipe(), try makePipe())
          let child = try await ChildProcess.spawn(
            shell: "exec 3<&0; (read line <&3; echo alive) & exit 3", standardInput: .descriptor(input.read),
            standardOutput: .descriptor(output.write), processGroup: .new)
          for number in [input.read, output.write] { _ = CAsyncIO.close(number) }
          #expect(try await child.wait() == .exited(3))
          var status: Int32 = 0
          #expect(waitpid(child.processIdentifier, &status, 0) == child.processIdentifier)
          child.close()
          // Its number is not this program's any more, so the rest lives, and answers.
          #expect(CAsyncIO.write(input.write, "\n", 1) == 1)
          let rest = try PipeReader(owning: output.read)
          #expect(try await rest.readToEnd() == Array("alive\n".utf8))
          rest.close()
          _ = CAsyncIO.close(input.write)
          #expect(child.terminationStatus == .exited(3))
        }
      }

      @Test("Many groups leave nothing behind", arguments: LoopKind.allCases)
      func leaks(kind: LoopKind) async {
        await #expect(processExitsWith: .success) { [kind] in
          try await expectNoLeaks {
            let loop = try kind.makeLoop()
            try await loop.run {
              for _ in 0..<10 {
                _ = try await ChildProcess.run("true", processGroup: .new)
                let child = try await ChildProcess.spawn("true", processGroup: .newSession)
                try await child.wait()
              }
            }
            let leaders = loop.residents[ObjectIdentifier(GroupLeaders.self)] as? GroupLeaders
            #expect(leaders?.isEmpty == true)
            try loop.close()
          }
        }
      }

      /// True for a zombie.
      private func hasEnded(_ process: Int32) -> Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == SIGCHLD
      }
    }
  }
#endif

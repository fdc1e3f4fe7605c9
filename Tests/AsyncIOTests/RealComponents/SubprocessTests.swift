#if os(Linux)
  import CAsyncIO
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    @Suite struct Subprocesses {
      /// Records its calls about a child.
      private final class Listener: SubprocessProtocol {
        var events: [String] = []
        var output: [UInt8] = []
        var lost: (any Error)?
        var onMade: (SubprocessTransport) throws -> Void = { _ in }
        var onData: () throws -> Void = {}

        func connectionMade(_ transport: SubprocessTransport) throws {
          events.append("made")
          try onMade(transport)
        }

        func pipeDataReceived(_ fileDescriptor: Int32, _ bytes: RawSpan) throws {
          bytes.withUnsafeBytes { output.append(contentsOf: $0) }
          try onData()
        }

        func pipeConnectionLost(_ fileDescriptor: Int32, _ error: (any Error)?) throws {
          events.append("\(fileDescriptor)")
        }

        func processExited() throws { events.append("exited") }

        func connectionLost(_ error: (any Error)?) throws {
          events.append("lost")
          lost = error
        }

        var isLost: Bool { events.last == "lost" }
      }

      private struct Failure: Error {}

      @Test("Feeding in connectionMade, the pipes, the exit", arguments: LoopKind.allCases, Watching.allCases)
      func order(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { loop in
          try await watching {
            let listener = Listener()
            listener.onMade = { transport in
              let input = try #require(transport.getPipeTransport(0) as? WritePipeTransport)
              try input.write(numbered(0..<300_000))
              try input.writeEOF()
            }
            let (transport, proto) = try await loop.subprocessExec("cat") { listener }
            #expect(transport.processIdentifier > 0 && transport.getExtraInfo(.subprocess) != nil)
            try await turnUntil { proto.isLost }
            #expect(proto.output == numbered(0..<300_000))
            #expect(proto.events.first == "made" && proto.events.sorted() == ["0", "1", "2", "exited", "lost", "made"])
            #expect(transport.returnCode == 0 && transport.terminationStatus == .exited(0))
            #expect(isReaped(transport.processIdentifier))
            #expect(transport.getPipeTransport(1) == nil, "they go with the transport")
          }
        }
      }

      @Test("Streams that are not pipes; a shell; a signal", arguments: LoopKind.allCases)
      func streams(kind: LoopKind) async throws {
        try await kind.run { loop in
          let (transport, proto) = try await loop.subprocessShell(
            "echo out; echo err >&2; exec cat", standardError: .output
          ) { Listener() }
          #expect(transport.getPipeTransport(2) == nil && transport.getPipeTransport(1) is ReadPipeTransport)
          try await turnUntil { proto.output == Array("out\nerr\n".utf8) }
          #expect(try transport.terminate())
          try await turnUntil { proto.isLost }
          #expect(transport.returnCode == -SIGTERM)
          #expect(try !transport.sendSignal(SIGHUP))

          let (quiet, none) = try await loop.subprocessExec(
            "true", standardInput: .null, standardOutput: .null, standardError: .null
          ) { Listener() }
          try await turnUntil { none.isLost }
          #expect(none.events == ["made", "exited", "lost"])
          quiet.close()
        }
      }

      @Test("Errors: of the factory, of the program, of the protocol", arguments: LoopKind.allCases)
      func errors(kind: LoopKind) async throws {
        try await kind.run { loop in
          let reports = Reports(of: loop)
          _ = try await failure(Failure.self) {
            _ = try await loop.subprocessExec("true") { () throws -> Listener in throw Failure() }
          }
          let missing = try await failure(IOError.self) {
            _ = try await loop.subprocessExec("no-such-program") { Listener() }
          }
          #expect(missing.errno == .noSuchFileOrDirectory)
          let empty = try await failure(EventLoopError.self) { _ = try await loop.subprocessExec("") { Listener() } }
          #expect(empty.code == .invalidArgument)

          let process = Recorder<Int32>()
          _ = try await failure(Failure.self) {
            let listener = Listener()
            listener.onMade = {
              process.record($0.processIdentifier)
              throw Failure()
            }
            _ = try await loop.subprocessExec("cat") { listener }
          }
          #expect(isReaped(try #require(process.all.first)), "the child is gone when the error is thrown")
          #expect(reports.all.count == 1)

          let (transport, proto) = try await loop.subprocessShell("echo x; exec cat") { Listener() }
          proto.onData = { throw Failure() }
          try await turnUntil { proto.events.contains("1") }
          #expect(reports.all.count == 2)
          transport.close()
          try await turnUntil { proto.isLost }
          #expect(transport.returnCode == -SIGKILL)
        }
      }

      @Test(
        "A protocol that refuses its child hears of the end, in order", arguments: LoopKind.allCases, Watching.allCases)
      func refused(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { loop in
          try await watching {
            let reports = Reports(of: loop)
            let listener = Listener()
            listener.onMade = { _ in throw Failure() }
            _ = try await failure(Failure.self) { _ = try await loop.subprocessExec("cat") { listener } }
            try await turnUntil { listener.isLost }
            #expect(listener.events.first == "made" && listener.events.last == "lost")
            #expect(listener.events.sorted() == ["0", "1", "2", "exited", "lost", "made"])
            #expect(
              listener.events.filter { Int($0) != nil } == ["0", "1", "2"], "the order of the pipes is not by chance")
            #expect(listener.lost is Failure)
            #expect(reports.all.count == 1)
          }
        }
      }

      @Test("The protocol is asked to pause and to go on, and reports name it", arguments: LoopKind.allCases)
      func pausing(kind: LoopKind) async throws {
        try await kind.run { loop in
          final class Writer: SubprocessProtocol {
            var events: [String] = []
            func pauseWriting() throws { events.append("pause") }
            func resumeWriting() throws {
              events.append("resume")
              throw Failure()
            }
          }
          let reports = Reports(of: loop)
          let gate = try makePipe()
          // It reads when it is told to.
          let (transport, writer) = try await loop.subprocessShell(
            "read line <&2; exec cat", standardOutput: .null, standardError: .descriptor(gate.read)
          ) { Writer() }
          let input = try #require(transport.getPipeTransport(0) as? WritePipeTransport)
          try input.write(numbered(0..<1_000_000))
          #expect(writer.events == ["pause"])
          #expect(write(gate.write, "go\n", 3) == 3)
          try await turnUntil { input.writeBufferSize == 0 }
          #expect(writer.events == ["pause", "resume"])
          #expect(reports.all.map(\.protocol) == ["Writer"])
          for number in [gate.read, gate.write] { _ = CAsyncIO.close(number) }
          transport.close()
        }
      }

      @Test("If connectionMade closes it, the child ends and the loss is reported", arguments: LoopKind.allCases)
      func closedAtOnce(kind: LoopKind) async throws {
        try await kind.run { loop in
          let listener = Listener()
          listener.onMade = { $0.close() }
          let (transport, proto) = try await loop.subprocessExec("cat") { listener }
          try await turnUntil { proto.isLost }
          #expect(proto.events.sorted() == ["0", "1", "2", "exited", "lost", "made"])
          #expect(transport.returnCode == -SIGKILL)
        }
      }

      @Test("Cancelled while it starts: killed and reaped first", arguments: LoopKind.allCases, Watching.allCases)
      func cancelled(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { loop in
          try await watching {
            for round in 0..<12 {
              let ends = try makePipe()
              let starting = try loopTask {
                let (transport, _) = try await loop.subprocessExec("cat", standardOutput: .descriptor(ends.write)) {
                  Listener()
                }
                transport.close()
              }
              for _ in 0..<round % 4 { try await sleep(for: .zero) }
              starting.cancel()
              try? await starting.value
              _ = CAsyncIO.close(ends.write)
              let reader = try PipeReader(owning: ends.read)
              #expect(try await reader.readToEnd() == [], "nobody has the other end any more")
              reader.close()
            }
          }
        }
      }

      @Test(
        "A loop that is closed takes the child along, without a call", arguments: LoopKind.allCases, Watching.allCases)
      func closedLoop(kind: LoopKind, watching: Watching) async throws {
        let loop = try kind.makeLoop()
        let events = Recorder<String>()
        final class Quiet: SubprocessProtocol {
          let events: Recorder<String>
          init(_ events: Recorder<String>) { self.events = events }
          func processExited() throws { events.record("exited") }
          func connectionLost(_ error: (any Error)?) throws { events.record("lost") }
        }
        let process = try await loop.run {
          try await watching { try await loop.subprocessExec("cat") { Quiet(events) }.0.processIdentifier }
        }
        try loop.close()
        while !isReaped(process) { await Task.yield() }
        #expect(events.all.isEmpty)
      }

      @Test("In a process run: children, lines, a signal; nothing left", arguments: LoopKind.allCases)
      func wholeProcess(kind: LoopKind) async throws {
        let kinds: [LoopKind: String] = [.epoll: "selector", .poll: "poll", .proactor: "proactor"]
        let program = try await HelperProgram.run("run-children", ["ASYNCIO_EVENT_LOOP": kinds[kind]!])
        #expect(program["lines"] == "one,two,three")
        #expect(program["status"] == "exited with status 5")
        #expect(program["signal"] == "ended by signal 15")
        #expect(program["sum"] == "190")
        #expect(program["children left"] == "0")
        #expect(program["descriptors left"] == "0")
      }

      @Test("Standard input is given back as it was found, even at exit")
      func standardInput() async throws {
        let terminal = try Terminal()
        for how in ["close", "exit"] {
          let child = try await withLoopTask {
            let child = try await ChildProcess.spawn(
              HelperProgram.path, ["standard-input"], environment: ["HOW": how],
              standardInput: .descriptor(terminal.device), standardOutput: .pipe)
            #expect(try await child.standardOutput!.readLine() == "ready=true")
            #expect(casyncio_is_nonblocking(terminal.device) == 1)
            #expect(write(terminal.master, "typed\n", 6) == 6)
            #expect(try await child.standardOutput!.readLine() == "line=typed")
            #expect(try await child.wait() == .exited(0))
            return child.processIdentifier
          }
          #expect(isReaped(child))
          #expect(casyncio_is_nonblocking(terminal.device) == 0, "\(how)")
        }
        close(terminal.device)
        close(terminal.master)
      }
    }
  }

  /// Run the body as a task of a loop.
  private func withLoopTask<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
    try await LoopKind.epoll.run { _ in try await body() }
  }
#endif

#if os(Linux)
  import CAsyncIO
  import POSIX
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// What a child gets of this program's files, and in what mode.
    @Suite struct ChildFiles {
      @Test("No file of a loop has the number of a standard stream that is closed", arguments: LoopKind.allCases)
      func closedStreams(kind: LoopKind) async throws {
        let name = kind == .epoll ? "selector" : kind.rawValue
        let program = try await HelperProgram.run("closed-streams", ["ASYNCIO_EVENT_LOOP": name])
        for moment in ["loop", "streams", "sockets", "pipes", "end"] { #expect(program[moment] == "", "\(moment)") }
        #expect(program["child"] == "", "the child has files that the program did not have")
        #expect(program["input"] == "true")
      }

      /// Whether the descriptor of a child that is given a file is non-blocking there. It says so by its descriptor 2.
      private func childMode(_ number: Int32, input: ChildProcess.Input, output: ChildProcess.Output) async throws
        -> Bool
      {
        let child = try await ChildProcess.spawn(
          "sh", ["-c", "flags=$(sed -n 's/^flags:[^0-9]*//p' /proc/$$/fdinfo/\(number)); echo $flags >&2"],
          standardInput: input,
          standardOutput: output, standardError: .pipe)
        let text = String(decoding: try await child.standardError!.readToEnd(), as: UTF8.self)
        #expect(try await child.wait().isSuccess)
        let flags = try #require(Int32(text.dropLast(), radix: 8), "\(text)")
        return flags & O_NONBLOCK != 0
      }

      private func isNonBlocking(_ number: Int32) -> Bool { casyncio_is_nonblocking(number) == 1 }

      @Test("A child's pipe blocks, even one that this program writes to", arguments: LoopKind.allCases)
      func pipes(kind: LoopKind) async throws {
        try await kind.run { _ in
          let ends = try makePipe()
          let (input, output) = (dup(ends.read), dup(ends.write))
          defer { _ = CAsyncIO.close(input) }
          let reader = try PipeReader(owning: ends.read)
          let writer = try PipeWriter(owning: ends.write)
          #expect(isNonBlocking(input) && isNonBlocking(output))
          #expect(try await !childMode(0, input: .descriptor(input), output: .null))
          #expect(try await !childMode(1, input: .null, output: .descriptor(output)))
          #expect(isNonBlocking(input) && isNonBlocking(output), "this program's mode is gone")
          // It is the same pipe.
          let child = try await ChildProcess.spawn(
            "seq", ["1", "20000"], standardInput: .null, standardOutput: .descriptor(output))
          _ = CAsyncIO.close(output)
          writer.close()
          #expect(try await reader.readToEnd().count == 108_894)
          #expect(try await child.wait().isSuccess)
          reader.close()
        }
      }

      @Test(
        "So does its terminal, and what it inherits as its error output by way of another", arguments: LoopKind.allCases
      )
      func terminals(kind: LoopKind) async throws {
        try await kind.run { _ in
          let terminal = try Terminal()
          let reader = try PipeReader(owning: dup(terminal.device))
          #expect(isNonBlocking(terminal.device))
          #expect(try await !childMode(0, input: .descriptor(terminal.device), output: .null))
          reader.close()
          for number in [terminal.master, terminal.device] { _ = CAsyncIO.close(number) }
        }
      }

      @Test("A mode that this program did not set stays", arguments: LoopKind.allCases)
      func others(kind: LoopKind) async throws {
        try await kind.run { _ in
          let ends = try makePipe()
          defer { for number in [ends.read, ends.write] { _ = CAsyncIO.close(number) } }
          casyncio_set_nonblocking(ends.write)
          #expect(try await childMode(1, input: .null, output: .descriptor(ends.write)))
        }
      }

      @Test("A child's socket blocks, and this program goes on with it", arguments: LoopKind.allCases)
      func sockets(kind: LoopKind) async throws {
        try await kind.run { _ in
          // As a pipe: its mode is not touched at all.
          let pair = try SocketPair()
          casyncio_set_blocking(pair.a)
          let output = dup(pair.a)
          defer { _ = CAsyncIO.close(output) }
          let (reader, writer) = (try PipeReader(owning: dup(pair.a)), try PipeWriter(owning: dup(pair.a)))
          #expect(!isNonBlocking(output))
          #expect(try await !childMode(1, input: .null, output: .descriptor(output)))
          // Nothing is there, and there is no room: nothing blocks.
          let reading = try loopTask { try await reader.read(upTo: 10) }
          try await turnUntil { reader.end.isWaitingToRead }
          let writing = try loopTask { try await writer.write(numbered(0..<2_000_000)) }
          var received = 0
          while received < 2_000_000 { received += max(0, pair.read(65536, from: pair.b)); await Task.yield() }
          try await writing.value
          pair.write(3, to: pair.b)
          #expect(try await reading.value.count == 3)
          reader.close()
          writer.close()

          // By hand, and a connection.
          let pairs = [try SocketPair(), try SocketPair()]
          let socket = try Socket(fileDescriptor: pairs[0].a)
          pairs[0].release(pairs[0].a)
          #expect(try await !childMode(0, input: .descriptor(socket.fileDescriptor), output: .null))
          let waiting = try loopTask { try await socket.receive(upTo: 10) }
          try await turnUntil { socket.receiving.state == .inFlight }
          pairs[0].write(2, to: pairs[0].b)
          #expect(try await waiting.value.count == 2)
          socket.close()
          let connection = StreamConnection(pairs[1].a, core: try runningCore("test"))
          pairs[1].release(pairs[1].a)
          #expect(try await !childMode(0, input: .descriptor(pairs[1].a), output: .null))
          let chunk = try loopTask { try await connection.read(upTo: 10) }
          try await turnUntil { connection.isReading }
          pairs[1].write(1, to: pairs[1].b)
          #expect(try await chunk.value.count == 1)
          connection.close()
        }
      }
    }
  }
#endif

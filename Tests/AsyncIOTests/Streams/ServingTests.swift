import SystemPackage
import Testing

@testable import AsyncIO

/// Servers: lines 84, 85, 87 and 89 of the conformance list, hazard B2.
@Suite(.timeLimit(.minutes(5)))
struct ServingTests {
  private struct Broken: Error, Equatable {}

  private static func echo(_ connection: StreamConnection) async throws {
    try await connection.forEachChunk { try await connection.write($0) }
  }

  private static func connect(_ listener: StreamListener, _ index: Int = 0) async throws -> StreamConnection {
    try await StreamConnection.connect(to: listener.addresses[index])
  }

  @Test("84, 85: close refuses new clients, old ones go on, and serve waits for them", arguments: LoopKind.allCases)
  func close(kind: LoopKind) async throws {
    try await kind.run { _ in
      // An address of its own: on a shared one another test could get the port as soon as it is free.
      let listener = try await StreamListener.bind(host: kind == .epoll ? "127.84.85.1" : "127.84.85.2", port: 0)
      let ended = Flag()
      let serving = try loopTask {
        try await listener.serve(Self.echo)
        ended.set()
      }
      let client = try await Self.connect(listener)
      try await client.write("a")
      #expect(try await client.readExactly(1) == Array("a".utf8))
      listener.close()
      listener.close()
      let error = try await failure(IOError.self) { _ = try await Self.connect(listener) }
      #expect(error.errno == .connectionRefused)
      try await client.write("b")
      #expect(try await client.readExactly(1) == Array("b".utf8))
      #expect(!ended.isSet)
      client.close()
      try await serving.value
      _ = try await failure(IOError.self) { _ = try await listener.accept() }
      try await listener.serve(Self.echo)
    }
  }

  @Test("87: a second serve is refused; cancel ends handlers, awaits them, and throws", arguments: LoopKind.allCases)
  func cancel(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let events = Recorder<String>()
      let reading = Recorder<StreamConnection>()
      let serving = try loopTask {
        do {
          try await listener.serve { connection in
            reading.record(connection)
            do { _ = try await connection.read(upTo: 1) } catch is CancellationError { events.record("cancelled") }
            // Cancelled tasks may take their time: this sleep is not one that a cancel ends.
            await withUnsafeContinuation { done in
              _ = try? connection.loop.callLater(.milliseconds(2)) { done.resume() }
            }
            events.record("cleaned up")
          }
        } catch {
          events.record("serve ended")
          throw error
        }
      }
      let clients = [try await Self.connect(listener), try await Self.connect(listener)]
      try await turnUntil { reading.all.count == 2 && reading.all.allSatisfy(\.isReading) }
      let error = try await failure(EventLoopError.self) { try await listener.serve(Self.echo) }
      #expect(error.code == .busy)
      serving.cancel()
      await #expect(throws: CancellationError.self) { try await serving.value }
      #expect(events.all == ["cancelled", "cancelled", "cleaned up", "cleaned up", "serve ended"])
      for client in clients { #expect(try await client.read(upTo: 1) == []) }
      listener.close()
    }
  }

  @Test("A cancelled serve ends handlers that wait, in both forms, and reports nothing", arguments: LoopKind.allCases)
  func cancelHandlers(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      let ends = Recorder<Bool>()
      let handlers: [@Sendable (StreamConnection) async throws -> Void] = [
        Self.echo, { try await $0.serveChunks { bytes, output in output.write(bytes) } },
      ]
      for handler in handlers {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        let serving = try loopTask {
          try await listener.serve { connection in
            do {
              try await handler(connection)
            } catch {
              ends.record(error is CancellationError)
              throw error
            }
          }
        }
        let client = try await Self.connect(listener)
        try await client.write("x")
        #expect(try await client.readExactly(1) == Array("x".utf8))
        serving.cancel()
        await #expect(throws: CancellationError.self) { try await serving.value }
        #expect(try await client.readToEnd() == [])
        client.close()
        listener.close()
      }
      #expect(ends.all == [true, true])
      #expect(reports.all.isEmpty, "\(reports.all)")
    }
  }

  @Test("A serve in a task that is cancelled already ends", arguments: LoopKind.allCases)
  func cancelledBefore(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let task = try loopTask {
        withUnsafeCurrentTask { $0?.cancel() }
        try await listener.serve(Self.echo)
      }
      await #expect(throws: CancellationError.self) { try await task.value }
      listener.close()
    }
  }

  @Test("89: an error of a handler is reported, its client is closed, the server goes on", arguments: LoopKind.allCases)
  func handlerThrows(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask {
        try await listener.serve { connection in
          if try await connection.readExactly(1) == Array("!".utf8) { throw Broken() }
          try await connection.write("fine")
        }
      }
      let bad = try await Self.connect(listener)
      try await bad.write("!")
      #expect(try await bad.readToEnd() == [])
      let reset = try await Self.connect(listener)
      reset.abort()
      let good = try await Self.connect(listener)
      try await good.write("?")
      #expect(try await good.readToEnd() == Array("fine".utf8))
      listener.close()
      try await serving.value
      #expect(reports.all.count == 1, "the loss of a connection is not reported: \(reports.all)")
      #expect(reports.all.first?.exception as? Broken == Broken())
      #expect(reports.all.first?.message == "exception in the handler of a connection")
    }
  }

  @Test("maximumConnections makes the other clients wait, and each gets its turn", arguments: LoopKind.allCases)
  func limit(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let running = Recorder<Int>()
      let serving = try loopTask {
        try await listener.serve(maximumConnections: 3) { connection in
          running.record(1)
          _ = try await connection.readExactly(1)
          running.record(-1)
          try await connection.write("k")
        }
      }
      let clients = try (0..<20).map { _ in
        try loopTask {
          let client = try await Self.connect(listener)
          try await client.write("x")
          return try await client.readToEnd()
        }
      }
      for client in clients { #expect(try await client.value == Array("k".utf8)) }
      listener.close()
      try await serving.value
      var now = 0
      for change in running.all {
        now += change
        #expect(now <= 3)
      }
      #expect(running.all.count == 40)
    }
  }

  @Test("The limit holds over all addresses, no address starves, and close ends all", arguments: LoopKind.allCases)
  func limitOverAddresses(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(port: 0)
      guard listener.addresses.count == 2 else { return }
      let running = Recorder<Int>()
      let serving = try loopTask {
        try await listener.serve(maximumConnections: 1) { connection in
          running.record(1)
          _ = try await connection.read(upTo: 1)
          running.record(-1)
        }
      }
      let hosts = ["127.0.0.1", "::1"]
      for round in 0..<6 {
        // Both at once; then each alone.
        let first = try await StreamConnection.connect(
          host: hosts[round % 2], port: #require(listener.addresses[round % 2].port))
        let second = try await StreamConnection.connect(
          host: hosts[(round + 1) % 2], port: #require(listener.addresses[(round + 1) % 2].port))
        for client in [first, second] {
          try client.writeEOF()
          #expect(try await client.readToEnd() == [])
          client.close()
        }
      }
      #expect(running.all.count == 24)
      #expect(!zip(running.all, running.all.dropFirst()).contains { $0 == $1 }, "never two at a time")
      let busy = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      try await turnUntil { running.all.count == 25 }
      listener.close()
      busy.close()
      try await serving.value
    }
  }

  @Test("A listener closed by another thread ends its serve", arguments: LoopKind.allCases)
  func closeFromThread(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask { try await listener.serve(Self.echo) }
      try await turnUntil { listener.accepting[0].state == .inFlight }
      startThread { listener.close() }
      try await serving.value
      #expect(listener.isClosed)
    }
  }
}

import AsyncIO
import AsyncIOTracing
import InMemoryTracing
import Testing
import Tracing

/// Contexts in callbacks, and the spans of connections.
@Suite(.timeLimit(.minutes(5)))
struct TracingTests {
  private enum Word: ServiceContextKey {
    typealias Value = String
  }

  init() { LoopTracing.enable() }

  private static var word: String? { ServiceContext.current?[Word.self] }

  @discardableResult
  private static func with<Value>(_ word: String, _ body: () throws -> Value) rethrows -> Value {
    var context = ServiceContext.topLevel
    context[Word.self] = word
    return try ServiceContext.withValue(context, operation: body)
  }

  @Test("Callbacks see the context of the code that scheduled them, and no other", arguments: Kind.allCases)
  func callbacks(kind: Kind) async throws {
    try await kind.run { loop in
      let seen = Record<String>()
      func note(_ place: String) -> @Sendable () -> Void { { seen.add("\(place): \(Self.word ?? "none")") } }
      let future = loop.createFuture(of: Void.self)
      try Self.with("a") {
        try loop.callSoon(note("soon"))
        try loop.callSoonThreadsafe(note("thread"))
        try loop.callLater(.milliseconds(1), note("later"))
        let noteDone = note("done")
        future.addDoneCallback { _ in noteDone() }
        try loop.callSoon {
          // What a callback schedules goes on with it.
          _ = try loop.callSoon(note("nested"))
        }
      }
      try loop.callSoon(note("bare"))
      let bareDone = note("bare done")
      future.addDoneCallback { _ in bareDone() }
      try Self.with("b") { try future.setResult(()) }
      try await turnUntil { seen.all.count == 7 }
      #expect(
        seen.all.sorted() == [
          "bare done: none", "bare: none", "done: a", "later: a", "nested: a", "soon: a", "thread: a",
        ])
      #expect(Self.word == nil)
    }
  }

  @Test("A scoped policy and a context travel together", arguments: Kind.allCases)
  func policies(kind: Kind) async throws {
    try await kind.run { loop in
      let policy = DefaultEventLoopPolicy()
      let seen = Record<Bool>()
      try withEventLoopPolicy(policy) {
        try Self.with("a") {
          try loop.callSoon { seen.add(getEventLoopPolicy() === policy && Self.word == "a") }
        }
        try loop.callSoon { seen.add(getEventLoopPolicy() === policy && Self.word == nil) }
      }
      try Self.with("a") {
        try loop.callSoon { seen.add(getEventLoopPolicy() !== policy && Self.word == "a") }
      }
      try await turnUntil { seen.all.count == 3 }
      #expect(seen.all == [true, true, true])
    }
  }

  @Test("Protocols see the context in which their server or connection was made", arguments: Kind.allCases)
  func protocols(kind: Kind) async throws {
    try await kind.run { loop in
      let seen = Record<String>()
      var context = ServiceContext.topLevel
      context[Word.self] = "server"
      let server = try await ServiceContext.withValue(context) {
        try await loop.createServer(host: "127.0.0.1", port: 0) { Listening("server", seen) }
      }
      context[Word.self] = "client"
      let address = server.addresses[0]
      let port = try #require(address.port)
      let (transport, _) = try await ServiceContext.withValue(context) {
        try await loop.createConnection(host: "127.0.0.1", port: port) { Listening("client", seen) }
      }
      try transport.write("hello")
      try await turnUntil { seen.all.count >= 3 }
      transport.close()
      server.close()
      try await server.waitClosed()
      try await turnUntil { seen.all.count == 5 }
      #expect(
        seen.all.sorted() == [
          "client lost: client", "client made: client", "server data: server", "server lost: server",
          "server made: server",
        ])
    }
  }

  @Test("A connect is a span, with what was asked for and what came of it", arguments: Kind.allCases)
  func connect(kind: Kind) async throws {
    try await kind.run { loop in
      let tracer = InMemoryTracer()
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      try await tracer.withSpan("outer") { _ in
        try await StreamConnection.traced(to: "localhost", port: listener.port, tracer: tracer) {
          try await StreamConnection.connect(to: listener.addresses[0])
        }.close()
      }
      listener.close()
      let span = try #require(tracer.finishedSpans.first { $0.operationName == "connect" })
      let outer = try #require(tracer.finishedSpans.first { $0.operationName == "outer" })
      #expect(span.kind == .client && span.parentSpanID == outer.spanID)
      #expect(span.attributes.get("server.address") == "localhost")
      #expect(span.attributes.get("server.port") == .int64(Int64(listener.port)))
      #expect(span.attributes.get("network.peer.address") == "127.0.0.1")
      #expect(span.attributes.get("network.peer.port") == .int64(Int64(listener.port)))
      #expect(span.attributes.get("network.local.address") == "127.0.0.1")
      #expect(span.attributes.get("network.transport") == "tcp" && span.attributes.get("network.type") == "ipv4")

      tracer.clearFinishedSpans()
      await #expect(throws: IOError.self) {
        _ = try await StreamConnection.traced(to: "127.0.0.1", port: listener.port, tracer: tracer) {
          try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        }
      }
      let failed = try #require(tracer.finishedSpans.first)
      #expect(failed.attributes.get("error.type") == "IOError" && failed.errors.count == 1)
    }
  }

  @Test(
    "A connection that is served is a span; its errors are recorded, its cancellation is not", arguments: Kind.allCases)
  func serve(kind: Kind) async throws {
    try await kind.run { loop in
      loop.exceptionHandler = { _, _ in }
      let tracer = InMemoryTracer()
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let handler = traced("answer", tracer: tracer) { connection in
        if try await connection.readExactly(1) == Array("!".utf8) { throw Broken() }
        tracer.withSpan("inner") { _ in }
        _ = try await connection.read(upTo: 1)
      }
      let serving = try loop.createTask { try await listener.serve(drain: .zero, handler) }
      var clients: [StreamConnection] = []
      for word in ["!", "?"] {
        let client = try await StreamConnection.connect(to: listener.addresses[0])
        try await client.write(word)
        clients.append(client)
      }
      try await turnUntil { tracer.finishedSpans.count == 2 }
      listener.close()
      #expect(try await serving.get().unfinished.count == 1)
      let spans = tracer.finishedSpans
      #expect(spans.map(\.operationName).sorted() == ["answer", "answer", "inner"])
      let broken = try #require(spans.first { !$0.errors.isEmpty })
      #expect(broken.kind == .server && broken.attributes.get("error.type") == "Broken")
      let cancelled = try #require(spans.last)
      #expect(cancelled.operationName == "answer" && cancelled.errors.isEmpty && cancelled.parentSpanID == nil)
      #expect(cancelled.attributes.get("client.address") == "127.0.0.1")
      #expect(cancelled.attributes.get("client.port") == .int64(Int64(clients[1].localAddress?.port ?? 0)))
      #expect(cancelled.attributes.get("network.local.port") == .int64(Int64(listener.port)))
      #expect(spans.first { $0.operationName == "inner" }?.parentSpanID == cancelled.spanID)
      for client in clients { client.close() }
    }
  }
}

/// Notes the context in which it is called.
private final class Listening: StreamProtocol {
  private enum Word: ServiceContextKey {
    typealias Value = String
  }

  private let name: String
  private let seen: Record<String>

  init(_ name: String, _ seen: Record<String>) { (self.name, self.seen) = (name, seen) }

  private func note(_ what: String) {
    var word = "none"
    ServiceContext.current?.forEach { _, value in word = "\(value)" }
    seen.add("\(name) \(what): \(word)")
  }

  func connectionMade(_ transport: StreamTransport) { note("made") }
  func dataReceived(_ bytes: RawSpan) { note("data") }
  func connectionLost(_ error: (any Error)?) { note("lost") }
}

import Testing

@testable import AsyncIO

@Suite("Transports belong to the thread of their loop")
struct TransportThreadTests {
  @Test("calls that hand out transports are refused elsewhere", arguments: LoopKind.allCases)
  func makingElsewhere(_ kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    defer { try? loop.close() }
    let sockets = try SocketPair()
    try await loop.run {
      try await Self.inPool { try await Self.expectRefusals(loop, sockets) }
    }
    try await Self.expectRefusals(loop, sockets)
    #expect(sockets.read(from: sockets.a) == -1, "the socket stays the caller's")
  }

  @Test("the compiler lets the main actor try, and the loop says no", arguments: LoopKind.allCases)
  @MainActor
  func makingOnTheMainActor(_ kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    defer { try? loop.close() }
    try await Self.expectRefusals(loop, SocketPair())
  }

  private nonisolated(nonsending) static func expectRefusals(
    _ loop: BaseEventLoop, _ sockets: SocketPair
  ) async throws {
    let refusals = [
      try await failure(EventLoopError.self) {
        _ = try await loop.createConnection(host: "127.0.0.1", port: 1) { ScriptedProtocol() }
      },
      try await failure(EventLoopError.self) {
        _ = try await loop.connectAcceptedSocket(sockets.a) { ScriptedProtocol() }
      },
      try await failure(EventLoopError.self) {
        _ = try await loop.createServer(host: "127.0.0.1", port: 0) { ScriptedProtocol() }
      },
      try await failure(EventLoopError.self) {
        _ = try await loop.createUnixServer(path: "/nowhere") { ScriptedProtocol() }
      },
    ]
    for refusal in refusals { #expect(refusal.code == .wrongThread, "\(refusal)") }
  }

  /// In a task that no loop runs.
  private static func inPool(_ body: @escaping @Sendable () async throws -> Void) async throws {
    try await Task.detached(executorPreference: globalConcurrentExecutor, operation: body).value
  }

  @Test("elsewhere writing is refused, and closing travels to the loop", arguments: LoopKind.allCases)
  func usingElsewhere(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      nonisolated(unsafe) let transport = pair.transport  // the point of the test: the calls say no
      try await Self.inPool {
        expectRefusal(.wrongThread) { try transport.write("x") }
        expectRefusal(.wrongThread) { try transport.writeLines([[1]]) }
        expectRefusal(.wrongThread) { try transport.writeEOF() }
        expectRefusal(.wrongThread) { try transport.setWriteBufferLimits(high: 1) }
        expectRefusal(.wrongThread) { try transport.getProtocol() }
        expectRefusal(.wrongThread) { try transport.setProtocol(ScriptedProtocol()) }
        transport.close()
      }
      try await turnUntil { pair.proto.isLost }
      #expect(pair.proto.events == ["made", "lost"])
    }
  }

  @Test("a server is closed from any thread", arguments: LoopKind.allCases)
  func closingServer(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) { ScriptedProtocol() }
      startThread { server.close() }
      try await server.serveForever()
      try await server.waitClosed()
      #expect(!server.isServing)
    }
  }
}

import Testing

@testable import AsyncIO

extension SessionPair.Side {
  /// Go through the handshake over a connection that is not protected, in pieces.
  func shakeHands(over peer: StreamConnection, piece: Int = .max) async throws {
    receive([])
    while true {
      var rest = takeOutput()[...]
      while !rest.isEmpty {
        try await peer.write(Array(rest.prefix(piece)))
        rest = rest.dropFirst(piece)
      }
      if isEstablished || failure != nil { return }
      let input = try await peer.read(upTo: piece)
      receive(input, ended: input.isEmpty)
    }
  }
}

/// What a protected connection came to.
struct PeerEnd: Sendable {
  var got: [UInt8] = []
  var error: (any Error)?
  var code: TLSError.Code? { (error as? TLSError)?.code }

  /// Read until the end or an error.
  mutating func read(_ connection: StreamConnection) async {
    do {
      while case let bytes = try await connection.read(upTo: 1_000), !bytes.isEmpty { got += bytes }
    } catch {
      self.error = error
    }
    connection.close()
  }

  /// Write until an error.
  mutating func write(_ connection: StreamConnection) async {
    do {
      while true {
        try await connection.write([UInt8](repeating: 1, count: 1_000))
        try await sleep(for: .zero)
      }
    } catch {
      self.error = error
    }
  }
}

extension TLSConfiguration {
  /// The same settings with other time limits.
  func with(_ limits: TLSLimits) -> TLSConfiguration {
    var configuration = self
    configuration.limits = limits
    return configuration
  }
}

extension LoopKind {
  /// What a server's connection comes to with a peer that does as it likes.
  func endOfServer(
    _ server: TLSConfiguration = TLSSessionTests.server(), limits: TLSLimits = .standard,
    _ peer: @escaping @Sendable (StreamConnection) async throws -> Void
  ) async throws -> PeerEnd {
    try await run { _ in
      let listener = try await StreamListener.bind(
        host: "127.0.0.1", port: 0, tls: TLSContext(server.with(limits)))
      defer { listener.close() }
      let near = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      let far = try await listener.accept()
      return try await Self.end(near, peer) { end in await end.read(far) }
    }
  }

  /// What a client's connection comes to with such a peer.
  ///
  /// - Parameter use: what the client does; it reads to the end unless given.
  func endOfClient(
    _ client: TLSConfiguration = TLSSessionTests.client(),
    use: @escaping @Sendable (inout PeerEnd, StreamConnection) async -> Void = { await $0.read($1) },
    _ peer: @escaping @Sendable (StreamConnection) async throws -> Void
  ) async throws -> PeerEnd {
    try await run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      let (context, port) = (try TLSContext(client), listener.port)
      async let accepted = listener.accept()
      let connecting = try loopTask {
        try await StreamConnection.connect(
          host: "127.0.0.1", port: port, tls: context, serverHostname: "localhost")
      }
      return try await Self.end(try await accepted, peer) { end in
        do { await use(&end, try await connecting.value) } catch { end.error = error }
      }
    }
  }

  private static func end(
    _ connection: StreamConnection, _ peer: @escaping @Sendable (StreamConnection) async throws -> Void,
    _ body: (inout PeerEnd) async -> Void
  ) async throws -> PeerEnd {
    let acting = try loopTask { try await peer(connection) }
    defer { connection.close() }
    var end = PeerEnd()
    await body(&end)
    // Writing to a peer that has gone fails, as it should.
    let result = try await withTimeout(.seconds(10)) {
      await withTaskCancellationHandler {
        await acting.result
      } onCancel: {
        acting.cancel()
      }
    }
    if case .failure(let error) = result { try #require(error is IOError, "\(error)") }
    return end
  }
}

import Testing

@testable import AsyncIO

/// Protected transports: when the protocol hears of what, and what ends them.
@Suite(
  "TLS transports", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSTransportTests {
  /// A server, and a client of it, on the running loop.
  struct Ends {
    let server: Server
    let client: ScriptedProtocol
    let transport: StreamTransport
    var accepted: ScriptedProtocol

    func close() {
      transport.close()
      server.closeClients()
      server.close()
    }
  }

  static func makeEnds(
    on loop: BaseEventLoop, _ script: @escaping (ScriptedProtocol) -> Void = { _ in }
  ) async throws -> Ends {
    var accepted: ScriptedProtocol?
    let server = try await loop.createServer(
      host: "127.0.0.1", port: 0, tls: TLSContext(TLSSessionTests.server())
    ) {
      let proto = ScriptedProtocol(script)
      accepted = proto
      return proto
    }
    let (transport, client) = try await loop.createConnection(
      host: "127.0.0.1", port: server.addresses[0].port!, tls: TLSContext(TLSSessionTests.client()),
      serverHostname: "localhost"
    ) { ScriptedProtocol() }
    try await turnUntil { accepted?.transport != nil }
    return Ends(server: server, client: client, transport: transport, accepted: accepted!)
  }

  @Test("Both protocols are told after the handshake, and bytes go both ways", arguments: LoopKind.allCases)
  func talks(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try await Self.makeEnds(on: loop) {
        $0.onData = { proto in
          try proto.transport?.write(proto.received)
          proto.received = []
        }
      }
      #expect(ends.client.events == ["made"] && ends.accepted.events == ["made"])
      let information = try #require(ends.transport.getExtraInfo(.tls))
      #expect(information.version == "TLSv1.3" && information.peerCertificates.map(\.subject) == ["CN=ecdsa"])
      let bytes = numbered(0..<1_000_000)
      try ends.transport.write(bytes)
      try await turnUntil { ends.client.received.count >= bytes.count }
      #expect(ends.client.received == bytes)
      ends.transport.close()
      try await turnUntil { ends.client.isLost && ends.accepted.isLost }
      #expect(ends.client.lost == nil && ends.accepted.lost == nil)
      #expect(ends.accepted.events == ["made", "data", "end", "lost"])
      ends.server.close()
      try await ends.server.waitClosed()
    }
  }

  @Test(
    "A slow reader makes the writer pause, and everything written before a close arrives", arguments: LoopKind.allCases)
  func flow(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try await Self.makeEnds(on: loop)
      let reader = try #require(ends.accepted.transport)
      reader.pauseReading()
      let bytes = numbered(0..<8_000_000)
      try ends.transport.write(bytes)
      #expect(ends.client.events == ["made", "pause"])
      ends.transport.close()
      reader.resumeReading()
      try await turnUntil { ends.accepted.isLost }
      #expect(ends.accepted.received == bytes)
      #expect(ends.accepted.lost == nil)
      try await turnUntil { ends.client.isLost }
      ends.server.close()
    }
  }

  @Test("A client that does not speak TLS, or goes: the protocol never hears of it", arguments: LoopKind.allCases)
  func refusedClients(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      var protocols: [ScriptedProtocol] = []
      let server = try await loop.createServer(
        host: "127.0.0.1", port: 0, tls: TLSContext(TLSSessionTests.server())
      ) {
        protocols.append(ScriptedProtocol())
        return protocols.last!
      }
      let port = server.addresses[0].port!
      for text in ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ""] {
        let stream = try await StreamConnection.connect(host: "127.0.0.1", port: port)
        try await turnUntil { protocols.last?.events.isEmpty == true }
        if text.isEmpty { stream.abort() } else { try await stream.write(text) }
        // The alert, and then the end.
        if !text.isEmpty { _ = try await stream.readToEnd() }
        stream.close()
      }
      server.close()
      try await server.waitClosed()
      #expect(protocols.count == 2 && protocols.allSatisfy { $0.events.isEmpty })
      #expect(reports.all.isEmpty)
    }
  }

  @Test("Closing the server's clients during their handshake", arguments: LoopKind.allCases)
  func closedDuringHandshake(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      var proto: ScriptedProtocol?
      let server = try await loop.createServer(
        host: "127.0.0.1", port: 0, tls: TLSContext(TLSSessionTests.server())
      ) {
        proto = ScriptedProtocol()
        return proto!
      }
      let stream = try await StreamConnection.connect(host: "127.0.0.1", port: server.addresses[0].port!)
      try await turnUntil { proto != nil }
      server.closeClients()
      server.close()
      try await server.waitClosed()
      #expect(proto?.events == [])
      #expect(try await stream.readToEnd() == [])
      stream.close()
    }
  }

  @Test("A refused certificate is thrown, and the protocol is never told", arguments: LoopKind.allCases)
  func refusedServer(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let server = try await loop.createServer(
        host: "127.0.0.1", port: 0, tls: TLSContext(TLSSessionTests.server("expired"))
      ) { ScriptedProtocol() }
      var client: ScriptedProtocol?
      let error = try await failure(TLSError.self) {
        _ = try await loop.createConnection(
          host: "127.0.0.1", port: server.addresses[0].port!, tls: TLSContext(TLSSessionTests.client()),
          serverHostname: "localhost"
        ) {
          client = ScriptedProtocol()
          return client!
        }
      }
      #expect(error.code == .certificateExpired, "\(error)")
      #expect(client?.events == [])
      server.close()
      try await server.waitClosed()
    }
  }

  @Test("The context of the other side is refused", arguments: LoopKind.allCases)
  func wrongSide(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let (client, server) = try (TLSContext(TLSSessionTests.client()), TLSContext(TLSSessionTests.server()))
      for body in [
        { _ = try await loop.createServer(host: "127.0.0.1", port: 0, tls: client) { ScriptedProtocol() } },
        { _ = try await loop.createConnection(host: "127.0.0.1", port: 1, tls: server) { ScriptedProtocol() } },
        { _ = try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: client) },
        { _ = try await StreamConnection.connect(host: "127.0.0.1", port: 1, tls: server) },
      ] as [() async throws -> Void] {
        let error = try await failure(EventLoopError.self, body)
        #expect(error.code == .invalidArgument && error.description.contains("TLSConfiguration."), "\(error)")
      }
    }
  }

  @Test("startTLS: another protocol goes on, and writes wait for it", arguments: LoopKind.allCases)
  func startTLS(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair { $0.onData = { try $0.transport?.write("go ahead\n") } }
      let peer = try await loop.connectAcceptedSocket(pair.peer) { ScriptedProtocol() }
      pair.sockets.release(pair.peer)
      try peer.0.write("STARTTLS\n")
      try await turnUntil { peer.1.received == Array("go ahead\n".utf8) }
      let (before, after) = (ScriptedProtocol(), ScriptedProtocol())
      before.transport = pair.transport
      let context = try TLSContext(TLSSessionTests.server())
      nonisolated(unsafe) let (transport, accepting) = (pair.transport, before)
      let server = Task(executorPreference: loop.taskExecutor) {
        try await loop.startTLS(transport, accepting, context)
      }
      try await turnUntil { pair.transport.isShakingHands }
      #expect(throws: EventLoopError.self) { try pair.transport.write("too early") }
      try await loop.startTLS(
        peer.0, after, TLSContext(TLSSessionTests.client()), serverHostname: "localhost")
      try await server.value
      try peer.0.write("secret")
      try await turnUntil { before.received == Array("secret".utf8) }
      try pair.transport.write("answer")
      try await turnUntil { after.received == Array("answer".utf8) }
      #expect(peer.1.events == ["made", "data"], "the first protocol hears nothing more")
      let error = try await failure(EventLoopError.self) {
        try await loop.startTLS(peer.0, after, TLSContext(TLSSessionTests.client()), serverHostname: "localhost")
      }
      #expect(error.code == .invalidState)
      peer.0.close()
      try await turnUntil { before.isLost && after.isLost }
      #expect(before.lost == nil && after.lost == nil)
    }
  }

  @Test(
    "A handler of serve begins after the handshake; accept's connection agrees meanwhile", arguments: LoopKind.allCases)
  func listeners(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      let listener = try await StreamListener.bind(
        host: "127.0.0.1", port: 0, tls: TLSContext(TLSSessionTests.server()))
      let context = try TLSContext(TLSSessionTests.client())
      let versions = Recorder<String>()
      let serving = try loopTask {
        try await listener.serve { connection in
          versions.record(connection.tlsInformation?.version ?? "none")
          try await connection.forEachChunk { try await connection.write($0) }
        }
      }
      for _ in 0..<3 {
        let client = try await StreamConnection.connect(
          host: "127.0.0.1", port: listener.port, tls: context, serverHostname: "localhost")
        try await client.write("hello")
        #expect(try await client.readExactly(5) == Array("hello".utf8))
        client.close()
      }
      let plain = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      try await plain.write("GET / HTTP/1.0\r\n\r\n")
      _ = try await plain.readToEnd()
      plain.close()
      serving.cancel()
      await #expect(throws: CancellationError.self) { try await serving.value }
      #expect(versions.all == ["TLSv1.3", "TLSv1.3", "TLSv1.3"])
      #expect(reports.all.isEmpty)

      async let accepted = listener.accept()
      let client = try await StreamConnection.connect(
        host: "127.0.0.1", port: listener.port, tls: context, serverHostname: "localhost")
      let connection = try await accepted
      try await connection.write("hello")
      #expect(try await client.readExactly(5) == Array("hello".utf8))
      connection.close()
      client.close()
      listener.close()
    }
  }
}

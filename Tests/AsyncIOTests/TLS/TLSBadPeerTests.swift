import SystemPackage
import Testing

@testable import AsyncIO

/// Peers that do not keep to the protocol, over sockets on every loop. Each ends in an error that says what was wrong;
/// nobody waits for ever, and nothing that came without protection is delivered.
@Suite(
  "TLS and bad peers", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSBadPeerTests {
  private static let versions: [TLSVersion] = [.tls12, .tls13]

  // MARK: Before the handshake

  @Test(
    "Plain bytes to a protected port", arguments: LoopKind.allCases,
    ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "EHLO localhost\r\n"])
  func plainClient(kind: LoopKind, text: String) async throws {
    let end = try await kind.endOfServer { peer in
      try await peer.write(text)
      // An alert at most, and then the end.
      #expect(try await peer.readToEnd(limit: 100).count <= 7)
    }
    #expect(end.code == .notTLS && end.got.isEmpty, "\(end)")
  }

  @Test("TLS to a plain server", arguments: LoopKind.allCases)
  func plainServer(kind: LoopKind) async throws {
    let end = try await kind.endOfClient { peer in
      _ = try await peer.read(upTo: 10)
      try await peer.write("HTTP/1.1 400 Bad Request\r\n\r\n")
      _ = try await peer.readToEnd(limit: 10_000)
    }
    #expect(end.code == .notTLS && end.got.isEmpty, "\(end)")
  }

  @Test("A record that is larger than any may be, first of all", arguments: LoopKind.allCases)
  func largeHello(kind: LoopKind) async throws {
    let end = try await kind.endOfServer { peer in
      try await peer.write([22, 3, 1, 0x48, 0x01] + [UInt8](repeating: 1, count: 0x4801))
    }
    #expect(end.code == .protocolViolation && end.got.isEmpty, "\(end)")
  }

  @Test("No application protocol in common", arguments: LoopKind.allCases, versions)
  func applicationProtocols(kind: LoopKind, version: TLSVersion) async throws {
    var (client, server) = (TLSSessionTests.client(), TLSSessionTests.server())
    client.maximumVersion = version
    (client.applicationProtocols, server.applicationProtocols) = (["h2"], ["http/1.1"])
    let (clientContext, serverContext) = try (TLSContext(client), TLSContext(server))
    let end = try await kind.endOfServer(server) { peer in
      let side = try SessionPair.Side(clientContext, serverName: "localhost")
      try await side.shakeHands(over: peer)
      #expect(side.failure?.code == .noApplicationProtocol)
    }
    #expect(end.code == .noApplicationProtocol, "\(end)")
    let other = try await kind.endOfClient(client) { peer in
      let side = try SessionPair.Side(serverContext, serverName: nil)
      try await side.shakeHands(over: peer)
      #expect(side.failure?.code == .noApplicationProtocol)
    }
    #expect(other.code == .noApplicationProtocol, "\(other)")
  }

  // MARK: Slow peers and peers that vanish

  @Test("A handshake that trickles in comes to its end", arguments: LoopKind.allCases, versions)
  func trickling(kind: LoopKind, version: TLSVersion) async throws {
    let context = try Self.client(version)
    let end = try await kind.endOfServer { peer in
      let side = try SessionPair.Side(context, serverName: "localhost")
      try await side.shakeHands(over: peer, piece: 1)
      try side.send([1, 2, 3])
      try side.session.end()
      for byte in side.takeOutput() { try await peer.write([byte]) }
    }
    #expect(end.error == nil && end.got == [1, 2, 3], "\(end)")
  }

  @Test("A handshake that trickles in for too long ends in time", arguments: LoopKind.allCases)
  func tricklingForEver(kind: LoopKind) async throws {
    let end = try await kind.endOfServer(limits: TLSLimits(handshake: .milliseconds(50))) { peer in
      try await peer.write([22, 3, 1, 0x3F, 0xFF, 1, 0, 0x3F, 0xF0])
      let hasEnded = Flag()
      try loopTask {
        _ = try? await peer.readToEnd(limit: 100)
        hasEnded.set()
      }
      while !hasEnded.isSet {
        try await peer.write([3])
        try await sleep(for: .milliseconds(1))
      }
    }
    #expect(end.code == .timedOut && end.got.isEmpty, "\(end)")
  }

  @Test("A peer that vanishes during the handshake", arguments: LoopKind.allCases, [0, 10, 100, -1])
  func vanishing(kind: LoopKind, count: Int) async throws {
    let (clientContext, serverContext) = try (Self.client(.tls13), TLSContext(TLSSessionTests.server()))
    let end = try await kind.endOfServer { peer in
      let side = try SessionPair.Side(clientContext, serverName: "localhost")
      side.receive([])
      let hello = side.takeOutput()
      try await peer.write(Array(hello.prefix(count < 0 ? hello.count : count)))
      try peer.writeEOF()
      _ = try await peer.readToEnd(limit: 10_000)
    }
    #expect(end.code == .truncated && end.got.isEmpty, "\(end)")
    let other = try await kind.endOfClient { peer in
      let side = try SessionPair.Side(serverContext, serverName: nil)
      side.receive(try await peer.read(upTo: 10_000))
      let flight = side.takeOutput()
      try await peer.write(Array(flight.prefix(count < 0 ? flight.count - 20 : count)))
      try peer.writeEOF()
      _ = try await peer.readToEnd(limit: 10_000)
    }
    #expect(other.code == .truncated && other.got.isEmpty, "\(other)")
  }

  @Test("A peer that resets the connection during the handshake", arguments: LoopKind.allCases)
  func resetting(kind: LoopKind) async throws {
    let end = try await kind.endOfClient { peer in
      _ = try await peer.read(upTo: 10)
      peer.abort()
    }
    #expect((end.error as? IOError)?.errno == .connectionReset, "\(end)")
  }

  // MARK: After the handshake

  @Test(
    "Bytes that are not protected, after those that are", arguments: LoopKind.allCases,
    [
      "GET / HTTP/1.1\r\n\r\n", "\u{17}\u{3}\u{3}\u{0}\u{5}hello", "\u{16}\u{3}\u{3}\u{0}\u{4}\u{1}\u{0}\u{0}\u{0}",
      "\u{15}\u{3}\u{3}\u{0}\u{2}\u{1}\u{0}",
    ])
  func injecting(kind: LoopKind, text: String) async throws {
    for version in Self.versions {
      let end = try await kind.endOfServer { peer in
        _ = try await Self.agree(version, peer, saying: [1, 2])
        try await peer.write(text)
        try peer.writeEOF()
        _ = try await peer.readToEnd(limit: 10_000)
      }
      #expect(end.code == .protocolViolation && end.got == [1, 2], "\(version): \(end)")
    }
  }

  @Test("A record that is cut off", arguments: LoopKind.allCases, [1, 4, 5, 6, 500])
  func cutting(kind: LoopKind, count: Int) async throws {
    for version in Self.versions {
      let end = try await kind.endOfServer { peer in
        let side = try await Self.agree(version, peer, saying: [1, 2])
        try side.send([UInt8](repeating: 3, count: 1_000))
        try await peer.write(Array(side.takeOutput().prefix(count)))
        try peer.writeEOF()
        _ = try await peer.readToEnd(limit: 10_000)
      }
      #expect(end.code == .truncated && end.got == [1, 2], "\(version): \(end)")
    }
  }

  @Test("A record that is larger than any may be", arguments: LoopKind.allCases)
  func largeRecord(kind: LoopKind) async throws {
    // 2^14 bytes and what the protection may add to them, and one more.
    for (version, length) in [(TLSVersion.tls12, 16_384 + 2_048 + 1), (.tls13, 16_384 + 256 + 1)] {
      let end = try await kind.endOfServer { peer in
        _ = try await Self.agree(version, peer, saying: [1, 2])
        try await peer.write([23, 3, 3, UInt8(length >> 8), UInt8(length & 0xFF)])
        try await peer.write([UInt8](repeating: 0, count: length))
        _ = try await peer.readToEnd(limit: 10_000)
      }
      #expect(end.code == .protocolViolation && end.got == [1, 2], "\(version): \(end)")
    }
  }

  private static func client(_ version: TLSVersion) throws -> TLSContext {
    var client = TLSSessionTests.client()
    client.maximumVersion = version
    return try TLSContext(client)
  }

  /// Shake hands as a client, and send some bytes.
  private static func agree(
    _ version: TLSVersion, _ peer: StreamConnection, saying bytes: [UInt8]
  ) async throws -> SessionPair.Side {
    let side = try SessionPair.Side(client(version), serverName: "localhost")
    try await side.shakeHands(over: peer)
    try side.send(bytes)
    try await peer.write(side.takeOutput())
    return side
  }
}

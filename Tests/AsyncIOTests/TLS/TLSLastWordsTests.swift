import SystemPackage
import Testing

@testable import AsyncIO

/// Peers that say why they go, and are gone before this side reads it: the reason is what its users get, even those
/// that only write.
@Suite(
  "TLS and last words", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSLastWordsTests {
  /// Whether it is what the socket of a peer that is gone gives.
  private func isLoss(_ error: (any Error)?) -> Bool {
    guard let errno = (error as? IOError)?.errno else { return false }
    return errno == .connectionReset || errno == .brokenPipe
  }

  /// Refuse a client that has no certificate, which has its part of the handshake behind it then.
  @Sendable static func refuse(_ peer: StreamConnection, bytes: String = "", abortively: Bool) async throws {
    var server = TLSSessionTests.server()
    if bytes.isEmpty { (server.verification, server.trust) = (.full, TLSSessionTests.trust) }
    let side = try SessionPair.Side(TLSContext(server), serverName: nil)
    try await side.shakeHands(over: peer)
    #expect((side.failure?.code == .certificateMissing) == bytes.isEmpty)
    if !bytes.isEmpty {
      try side.send(Array(bytes.utf8))
      // A record that nobody could have made: this side answers with an alert.
      side.receive([23, 3, 3, 0, 20] + [UInt8](repeating: 7, count: 20))
      #expect(side.failure != nil)
      try await peer.write(side.takeOutput())
    }
    // A reset takes away what is not with the system, and it stands for a close with unread bytes.
    try await turnUntil { !peer.core.hasUnsent(peer.descriptor) }
    if abortively { peer.abort() } else { peer.close() }
  }

  @Test("hazard L7: a client that only writes hears it", arguments: LoopKind.allCases, [false, true])
  func writer(kind: LoopKind, abortively: Bool) async throws {
    let end = try await kind.endOfClient(use: { await $0.write($1) }) {
      try await Self.refuse($0, abortively: abortively)
    }
    #expect(end.code == .certificateMissing, "\(end)")
  }

  @Test("So does one whose read waits meanwhile", arguments: LoopKind.allCases, [false, true])
  func both(kind: LoopKind, abortively: Bool) async throws {
    let end = try await kind.endOfClient { end, connection in
      async let reading = {
        var end = PeerEnd()
        await end.read(connection)
        return end
      }()
      await end.write(connection)
      let read = await reading
      #expect(read.code == .certificateMissing && read.got == [], "\(read)")
    } _: {
      try await Self.refuse($0, abortively: abortively)
    }
    // The reader may have closed the connection before the writer's next call.
    let isClosed = (end.error as? IOError)?.errno == .badFileDescriptor
    #expect(end.code == .certificateMissing || isClosed, "\(end)")
  }

  @Test("Bytes before it come first, and are not waited for", arguments: LoopKind.allCases, [false, true])
  func bytesFirst(kind: LoopKind, abortively: Bool) async throws {
    let end = try await kind.endOfClient { end, connection in
      await end.write(connection)
      #expect(isLoss(end.error), "\(end)")
      await end.read(connection)
    } _: {
      try await Self.refuse($0, bytes: "answer", abortively: abortively)
    }
    #expect(String(decoding: end.got, as: UTF8.self) == "answer")
    #expect(end.code == .peerAlert, "\(end)")
  }

  @Test("A peer that goes without a word is a lost connection", arguments: LoopKind.allCases)
  func silent(kind: LoopKind) async throws {
    let end = try await kind.endOfClient(use: { await $0.write($1) }) { peer in
      let side = try SessionPair.Side(TLSContext(TLSSessionTests.server()), serverName: nil)
      try await side.shakeHands(over: peer)
      peer.abort()
    }
    #expect(isLoss(end.error), "\(end)")
  }

  @Test("A protocol that writes at once is told", arguments: LoopKind.allCases, [false, true])
  func transport(kind: LoopKind, readsNothing: Bool) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      let refusing = try loopTask { try await Self.refuse(try await listener.accept(), abortively: false) }
      let (transport, client) = try await loop.createConnection(
        host: "127.0.0.1", port: listener.port, tls: TLSContext(TLSSessionTests.client()), serverHostname: "localhost"
      ) { ScriptedProtocol() }
      if readsNothing { transport.pauseReading() }
      try await turnUntil {
        if !client.isLost { try? transport.write(Array("question".utf8)) }
        return client.isLost
      }
      #expect((client.lost as? TLSError)?.code == .certificateMissing, "\(String(describing: client.lost))")
      try await refusing.value
    }
  }
}

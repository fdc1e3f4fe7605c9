import Testing

@testable import AsyncIO

/// The simulated sessions do what OpenSSL's do: what holds in a simulation holds outside of it.
@Suite("TLS comparison", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"))
struct TLSComparisonTests {
  @Test("Both sides see the same with either kind of sessions", arguments: TLSSituation.all)
  func compare(_ situation: TLSSituation) throws {
    let outcomes = try situation.play(.simulated)
    let expected = try situation.play(.openssl)
    for (index, pair) in zip(outcomes, expected).enumerated() {
      #expect(pair.0 == pair.1, "\(["client", "server"][index % 2]), round \(index / 2)")
    }
  }

  @Test(
    "Bytes that are not TLS are refused in the same way",
    arguments: ["GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail.example ready\r\n"])
  func strangers(_ text: String) throws {
    for isServer in [true, false] {
      let codes = try TLSKind.allCases.map { kind in
        let contexts = try kind.contexts(kind.client(), kind.server())
        let side = try SessionPair.Side(isServer ? contexts.1 : contexts.0, serverName: isServer ? nil : "localhost")
        side.receive(Array(text.utf8))
        side.receive([], ended: true)
        #expect(side.plain.isEmpty)
        return side.failure?.code
      }
      #expect(codes[0] == codes[1] && codes[0] != nil, "\(codes)")
    }
  }

  @Test("An end without a goodbye is the same failure", arguments: [TLSVersion.tls12, .tls13], [-1, 0, 1, 50, 100])
  func truncation(_ version: TLSVersion, _ kept: Int) throws {
    let failures = try TLSKind.allCases.map { kind in
      var client = kind.client()
      client.maximumVersion = version
      let (near, far) = try kind.contexts(client, kind.server())
      let pair = try SessionPair(near, far)
      if kept < 0 {
        pair.client.receive([])
        pair.server.receive(Array(pair.client.takeOutput().dropLast(20)))
      } else {
        pair.exchange()
        try pair.client.send([UInt8](repeating: 1, count: 100))
        pair.server.receive(Array(pair.client.takeOutput().prefix(kept)))
      }
      pair.server.receive([], ended: true)
      #expect(pair.server.plain.isEmpty)
      return pair.server.failure
    }
    #expect(failures[0]?.code == failures[1]?.code && failures[0]?.code == .truncated)
    // Without what OpenSSL adds.
    #expect(failures[0]?.message == failures[1]?.message)
  }
}

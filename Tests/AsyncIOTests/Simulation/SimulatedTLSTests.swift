import Testing

@testable import AsyncIO
@testable import AsyncIOSimulation

/// Simulated sessions against each other in memory: their certificates, their records, and what they refuse.
@Suite("Simulated TLS")
struct SimulatedTLSTests {
  private static func pair(
    _ change: (inout TLSConfiguration, inout TLSConfiguration) -> Void = { _, _ in }
  ) throws -> SessionPair {
    let kind = TLSKind.simulated
    var (client, server) = (kind.client(), kind.server())
    change(&client, &server)
    let contexts = try kind.contexts(client, server)
    return try SessionPair(contexts.0, contexts.1)
  }

  private static func context(_ configuration: TLSConfiguration) throws -> TLSContext {
    try TLSContext(configuration, provider: SimulatedTLSProvider())
  }

  // MARK: Settings

  @Test(
    "Certificates and keys that cannot be used",
    arguments: [
      ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", nil, "a real certificate"),
      ("", nil, "there is no certificate in"), ("-----BEGIN SIMULATED CERTIFICATE-----\n", nil, "is damaged"),
      ("-----BEGIN SIMULATED CERTIFICATE-----\nx\n-----END SIMULATED CERTIFICATE-----\n", nil, "is damaged"),
      (nil, "", "there is no key in"), (nil, "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "a real key"),
      (nil, "-----BEGIN SIMULATED PRIVATE KEY-----\nfor: 1\n-----END SIMULATED PRIVATE KEY-----", "does not belong to"),
    ] as [(String?, String?, String)])
  func badIdentity(_ chain: String?, _ key: String?, _ text: String) throws {
    guard case .pem(let goodChain, let goodKey) = SimulatedTLS.identity(hosts: ["a"]).source else { return }
    let identity = TLSIdentity.pem(chain: chain ?? goodChain, key: key ?? goodKey)
    let error = #expect(throws: TLSError.self) { try Self.context(.server(identity)) }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains(text) == true, "\(String(describing: error))")
  }

  @Test("Files are not part of a simulation")
  func files() throws {
    let path = "/etc/ssl/certs/ca-certificates.crt"
    for configuration in [.server(.files(chain: path)), TLSConfiguration.client(trusting: .file(path))] {
      let error = #expect(throws: TLSError.self) { try Self.context(configuration) }
      #expect(error?.message.contains(path) == true)
      #expect(error?.message.contains("SimulatedTLS") == true)
    }
  }

  @Test("Contradictions and names that say nothing are found when the context is made")
  func contradictions() throws {
    let changes: [(inout TLSConfiguration) -> Void] = [
      { ($0.minimumVersion, $0.maximumVersion) = (.tls13, .tls12) }, { $0.verification = .optional },
      { $0.trust = TLSTrust(sources: []) }, { $0.applicationProtocols = [String(repeating: "x", count: 256)] },
      { $0.ciphers = "NONSENSE" }, { $0.cipherSuites = "TLS_NONSENSE" }, { $0.groups = "nonsense" },
    ]
    for change in changes {
      var configuration = TLSKind.simulated.client()
      change(&configuration)
      #expect(throws: TLSError.self) { try Self.context(configuration) }
    }
    var nameless = TLSKind.simulated.server()
    nameless.identity = nil
    #expect(throws: TLSError.self) { try Self.context(nameless) }
    let context = try Self.context(TLSKind.simulated.client())
    for name in ["", "a\0b", String(repeating: "a", count: 300)] {
      #expect(throws: TLSError.self) { try context.provided.makeSession(serverName: name, bytes: TLSBytes()) }
    }
  }

  @Test("The system of a simulation trusts the authority that signs unless another one is named")
  func systemTrust() throws {
    let provider = SimulatedTLSProvider()
    let server = try TLSContext(.server(SimulatedTLS.identity(hosts: ["server"])), provider: provider)
    let pair = try SessionPair(TLSContext(.client(), provider: provider), server, serverName: "server")
    pair.exchange()
    #expect(pair.client.isEstablished && pair.server.isEstablished)
  }

  // MARK: Records

  @Test("No byte of the user is on its way as it is, and the same program sends the same bytes")
  func disguise() throws {
    let word = Array("attack at dawn, and not before".utf8)
    let outputs = try (0..<2).map { _ in
      let pair = try Self.pair()
      pair.exchange()
      try pair.client.send(word)
      try pair.client.send(word)
      return pair.client.takeOutput()
    }
    #expect(outputs[0] == outputs[1])
    let half = outputs[0].count / 2
    #expect(outputs[0][..<half] != outputs[0][half...])
    for start in 0..<outputs[0].count - 8 { #expect(!outputs[0][start...].starts(with: word.prefix(8))) }
    #expect(!String(decoding: outputs[0], as: UTF8.self).contains("attack"))
  }

  @Test("A record that was changed, lost, doubled or moved is refused, and none of it is delivered")
  func changedRecords() throws {
    for position in [0, 1, 3, 4, 5, 20, 112] {
      let pair = try Self.pair()
      pair.exchange()
      try pair.client.send([UInt8](repeating: 1, count: 100))
      var record = pair.client.takeOutput()
      record[position] ^= 0x40
      pair.server.receive(record)
      pair.server.receive([], ended: true)
      #expect(pair.server.plain.isEmpty)
      #expect(pair.server.failure != nil, "byte \(position)")
    }
    for order in [[1], [1, 0], [0, 0], [0, 2]] {
      let pair = try Self.pair()
      pair.exchange()
      let records = try (0..<3).map { number in
        try pair.client.send([UInt8(number)])
        return pair.client.takeOutput()
      }
      for index in order { pair.server.receive(records[index]) }
      #expect(pair.server.failure?.code == .protocolViolation)
      #expect(pair.server.plain == (order[0] == 0 ? [0] : []))
      pair.client.receive(pair.server.takeOutput())
      #expect(pair.client.failure?.code == .peerAlert)
    }
  }

  @Test("Plain bytes are not taken for protected ones, nor protected ones for plain")
  func plainBytes() throws {
    let pair = try Self.pair()
    pair.exchange()
    pair.server.receive(SimulatedRecord.header(SimulatedRecordType.data, 20) + [UInt8](repeating: 7, count: 20))
    #expect(pair.server.plain.isEmpty && pair.server.failure?.code == .protocolViolation)
  }

  @Test("What follows the goodbye is not consumed")
  func afterGoodbye() throws {
    let pair = try Self.pair()
    pair.exchange()
    try pair.client.session.end()
    let goodbye = pair.client.takeOutput()
    let input = goodbye + Array("plain".utf8)
    try input.withUnsafeBytes { input in
      pair.server.bytes.input = input
      var memory = [UInt8](repeating: 0, count: 10)
      for _ in 0..<2 {
        let count = try memory.withUnsafeMutableBytes { try pair.server.session.read(into: $0) }
        #expect(count == nil)
      }
      #expect(pair.server.bytes.input.count == 5)
      pair.server.bytes.input = UnsafeRawBufferPointer(start: nil, count: 0)
    }
  }

  @Test("A hello that was changed on its way ends the handshake")
  func changedHello() throws {
    let length = try Self.pair().client.helloLength
    for position in stride(from: 5, to: length, by: 3) {
      let pair = try Self.pair { client, _ in client.applicationProtocols = ["h2"] }
      pair.client.receive([])
      var hello = pair.client.takeOutput()
      hello[position] ^= 1
      pair.server.receive(hello)
      pair.client.receive(pair.server.takeOutput())
      pair.server.receive(pair.client.takeOutput())
      #expect(!pair.server.isEstablished, "byte \(position)")
    }
  }

  @Test("Random changes of both sides' bytes end in errors only", arguments: [1, 2, 3] as [UInt64])
  func fuzz(_ seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let contexts = try TLSKind.simulated.contexts(TLSKind.simulated.client(), TLSKind.simulated.server())
    for _ in 0..<200 {
      let pair = try SessionPair(contexts.0, contexts.1)
      let message = [UInt8](repeating: 9, count: Int.random(in: 1...20_000, using: &random))
      for turn in 0..<6 {
        pair.client.receive([])
        if turn > 1, pair.client.isEstablished, pair.client.failure == nil { try? pair.client.send(message) }
        pair.server.receive(changed(pair.client.takeOutput(), &random))
        pair.client.receive(changed(pair.server.takeOutput(), &random))
      }
      pair.server.receive([], ended: true)
      pair.client.receive([], ended: true)
      // What is delivered is what was sent, as far as it goes.
      #expect(pair.server.plain.allSatisfy { $0 == 9 })
      #expect(pair.client.plain.isEmpty)
    }
  }

  private func changed(_ bytes: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    guard !bytes.isEmpty, Int.random(in: 0..<4, using: &random) == 0 else { return bytes }
    var bytes = bytes
    let position = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes[position] ^= UInt8.random(in: 1...255, using: &random)
    case 1: bytes.removeSubrange(position...)
    case 2: bytes.insert(contentsOf: (0..<Int.random(in: 1...50, using: &random)).map { UInt8($0) }, at: position)
    default: bytes += bytes.prefix(position)
    }
    return bytes
  }
}

extension SessionPair.Side {
  /// The number of bytes with which a client begins.
  fileprivate var helloLength: Int {
    receive([])
    return takeOutput().count
  }
}

import Testing

@testable import AsyncIO

/// Settings that cannot be used, bytes that are not TLS, and ends that are none.
@Suite("TLS refusals", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"))
struct TLSRefusalTests {
  private static var files: TestCertificates { TestCertificates.shared }

  private static func path(_ name: String) -> String { files.path(name) }

  // MARK: Settings

  @Test(
    "Certificates and keys that cannot be used",
    arguments: [
      ("nowhere.pem", "ecdsa.key", nil, "cannot be read or written: No such file"),
      ("empty.pem", "ecdsa.key", nil, "there is no certificate in"),
      ("ecdsa.key", "ecdsa.key", nil, "there is no certificate in"),
      ("damaged.pem", "ecdsa.key", nil, "damaged"), ("halfway.pem", "ecdsa.key", nil, "is damaged"),
      ("ecdsa.pem", "empty.pem", nil, "there is no key in"), ("ecdsa.pem", "other.key", nil, "does not belong to"),
      ("ecdsa.pem", "rsa.key", nil, "does not belong to"), ("ecdsa.pem", "encrypted.key", nil, "Give its password"),
      ("ecdsa.pem", "encrypted.key", "wrong", "the password does not fit"),
    ] as [(String, String, String?, String)])
  func badIdentity(_ chain: String, _ key: String, _ password: String?, _ text: String) throws {
    let identity = TLSIdentity.files(chain: Self.path(chain), key: Self.path(key), password: password)
    let error = #expect(throws: TLSError.self) { try TLSContext(.server(identity)) }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains(text) == true, "\(String(describing: error))")
    if let password { #expect(error?.message.contains(password) != true || password == "wrong") }
  }

  @Test(
    "Settings that name nothing",
    arguments: [
      ("ciphers", "NONSENSE"), ("cipherSuites", "TLS_NONSENSE"), ("groups", "nonsense"),
      ("keyLogFile", "/nowhere/keys"),
    ])
  func badSetting(_ setting: String, _ value: String) throws {
    var configuration = TLSSessionTests.client()
    switch setting {
    case "ciphers": configuration.ciphers = value
    case "cipherSuites": configuration.cipherSuites = value
    case "groups": configuration.groups = value
    default: configuration.keyLogFile = value
    }
    let error = #expect(throws: TLSError.self) { try TLSContext(configuration) }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains(value) == true)
  }

  @Test("Contradictions are found when the context is made")
  func contradictions() throws {
    var newest = TLSSessionTests.client()
    newest.minimumVersion = .tls13
    newest.maximumVersion = .tls12
    var optional = TLSSessionTests.client()
    optional.verification = .optional
    var trustless = TLSSessionTests.server()
    trustless.verification = .full
    var nameless = TLSSessionTests.server()
    nameless.identity = nil
    var long = TLSSessionTests.client()
    long.applicationProtocols = [String(repeating: "x", count: 256)]
    for configuration in [newest, optional, trustless, nameless, long] {
      let error = #expect(throws: TLSError.self) { try TLSContext(configuration) }
      #expect(error?.code == .invalidConfiguration)
    }
  }

  @Test("Names that no host has", arguments: ["", "a\0b", String(repeating: "a", count: 300)])
  func badName(_ name: String) throws {
    let context = try TLSContext(TLSSessionTests.client())
    let error = #expect(throws: TLSError.self) { try context.provided.makeSession(serverName: name, bytes: TLSBytes()) }
    #expect(error?.code == .invalidConfiguration)
  }

  @Test("A library that is not there, or is another one")
  func library() {
    func failure(_ path: String) -> TLSError? {
      if case .failure(let error) = OpenSSL.load(path: path) { error } else { nil }
    }
    for path in ["/nowhere/libssl.so.3", "libc.so.6"] {
      let error = failure(path)
      #expect(error?.code == .libraryMissing)
      #expect(error?.message.contains("apt install libssl3") == true)
    }
    #expect(failure("/nowhere/libssl.so.3")?.message.contains("/nowhere/libssl.so.3") == true)
  }

  // MARK: The other side

  @Test("No version in common")
  func versions() throws {
    var (client, server) = (TLSSessionTests.client(), TLSSessionTests.server())
    client.maximumVersion = .tls12
    server.minimumVersion = .tls13
    let pair = try SessionPair(client: client, server: server)
    pair.exchange()
    #expect(pair.client.failure?.code == .unsupportedVersion)
    #expect(pair.server.failure?.code == .unsupportedVersion)
  }

  @Test("No cipher in common")
  func ciphers() throws {
    var (client, server) = (TLSSessionTests.client(), TLSSessionTests.server())
    (client.maximumVersion, client.ciphers) = (.tls12, "ECDHE-ECDSA-AES128-GCM-SHA256")
    server.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"
    let pair = try SessionPair(client: client, server: server)
    pair.exchange()
    #expect(pair.server.failure?.code == .noCommonCipher)
    #expect(pair.client.failure?.code == .peerAlert)
  }

  @Test("No version in common, the other way round")
  func olderServer() throws {
    var (client, server) = (TLSSessionTests.client(), TLSSessionTests.server())
    client.minimumVersion = .tls13
    server.maximumVersion = .tls12
    let pair = try SessionPair(client: client, server: server)
    pair.exchange()
    #expect(pair.client.failure?.code == .unsupportedVersion, "\(String(describing: pair.client.failure))")
    #expect(pair.server.failure?.code == .unsupportedVersion, "\(String(describing: pair.server.failure))")
  }

  @Test("No group in common", arguments: [TLSVersion.tls12, .tls13])
  func groups(_ version: TLSVersion) throws {
    var (client, server) = (TLSSessionTests.client(), TLSSessionTests.server("rsa"))
    (client.maximumVersion, client.groups, server.groups) = (version, "X25519", "P-256")
    client.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"
    let pair = try SessionPair(client: client, server: server)
    pair.exchange()
    #expect(pair.server.failure?.code == .noCommonCipher, "\(String(describing: pair.server.failure))")
    #expect(pair.client.failure?.code == .peerAlert, "\(String(describing: pair.client.failure))")
  }

  @Test("No application protocol in common")
  func applicationProtocols() throws {
    var (client, server) = (TLSSessionTests.client(), TLSSessionTests.server())
    client.applicationProtocols = ["h2"]
    server.applicationProtocols = ["http/1.1"]
    let pair = try SessionPair(client: client, server: server)
    pair.exchange()
    #expect(pair.server.failure?.code == .noApplicationProtocol)
    #expect(pair.client.failure?.code == .noApplicationProtocol)
  }

  @Test(
    "Bytes that are not TLS",
    arguments: [
      ("GET / HTTP/1.1\r\n\r\n", TLSError.Code.notTLS), ("SSH-2.0-OpenSSH_9.2\r\n", .notTLS),
      ("\u{16}\u{3}\u{1}\u{7f}\u{7f}", nil),
    ])
  func strangers(_ text: String, _ code: TLSError.Code?) throws {
    let server = try SessionPair.Side(TLSContext(TLSSessionTests.server()), serverName: nil)
    server.receive(Array(text.utf8))
    server.receive([], ended: true)
    let failure = try #require(server.failure)
    if let code { #expect(failure.code == code, "\(failure)") }
    let client = try SessionPair.Side(TLSContext(TLSSessionTests.client()), serverName: "localhost")
    client.receive(Array(text.utf8))
    client.receive([], ended: true)
    #expect(client.failure != nil)
    #expect(server.plain.isEmpty && client.plain.isEmpty)
  }

  // MARK: Ends

  @Test("A goodbye is an end, and the other direction goes on", arguments: [TLSVersion.tls12, .tls13])
  func goodbye(_ version: TLSVersion) throws {
    var client = TLSSessionTests.client()
    client.maximumVersion = version
    let pair = try SessionPair(client: client, server: TLSSessionTests.server())
    pair.exchange()
    try pair.client.send([1])
    try pair.client.session.end()
    pair.exchange()
    #expect(pair.server.plain == [1] && pair.server.hasEnded && pair.server.failure == nil)
    #expect(!pair.client.hasEnded)
    try pair.server.send([2])
    try pair.server.session.end()
    pair.exchange()
    #expect(pair.client.plain == [2] && pair.client.hasEnded && pair.client.failure == nil)
    pair.client.receive([], ended: true)
    #expect(pair.client.failure == nil)
  }

  @Test("A connection that ends without a goodbye was cut", arguments: [TLSVersion.tls12, .tls13])
  func truncation(_ version: TLSVersion) throws {
    var client = TLSSessionTests.client()
    client.maximumVersion = version
    let pair = try SessionPair(client: client, server: TLSSessionTests.server())
    pair.exchange()
    try pair.client.send([1, 2])
    pair.exchange()
    pair.server.receive([], ended: true)
    #expect(pair.server.plain == [1, 2])
    #expect(!pair.server.hasEnded)
    #expect(pair.server.failure?.code == .truncated)
  }

  @Test("A connection that ends in the middle of a record was cut")
  func truncatedRecord() throws {
    let pair = try SessionPair(client: TLSSessionTests.client(), server: TLSSessionTests.server())
    pair.exchange()
    try pair.client.send([UInt8](repeating: 1, count: 1_000))
    let record = pair.client.takeOutput()
    pair.server.receive(Array(record.dropLast(10)))
    pair.server.receive([], ended: true)
    #expect(pair.server.plain.isEmpty)
    #expect(pair.server.failure?.code == .truncated)
  }

  @Test("A connection that ends during the handshake says so")
  func endsDuringHandshake() throws {
    let pair = try SessionPair(client: TLSSessionTests.client(), server: TLSSessionTests.server())
    pair.client.receive([])
    pair.server.receive(Array(pair.client.takeOutput().dropLast(20)))
    pair.server.receive([], ended: true)
    let failure = try #require(pair.server.failure)
    #expect(failure.code == .truncated)
    #expect(failure.message.contains("handshake"))
  }

  // MARK: Changed bytes

  @Test(
    "A record that was changed anywhere is refused, and none of it is delivered", arguments: [TLSVersion.tls12, .tls13])
  func changedRecord(_ version: TLSVersion) throws {
    var client = TLSSessionTests.client()
    client.maximumVersion = version
    let contexts = (try TLSContext(client), try TLSContext(TLSSessionTests.server()))
    for position in [0, 1, 3, 4, 5, 20, -1] {
      let pair = try SessionPair(contexts.0, contexts.1)
      pair.exchange()
      try pair.client.send([UInt8](repeating: 1, count: 100))
      var record = pair.client.takeOutput()
      record[position < 0 ? record.count + position : position] ^= 0x40
      pair.server.receive(record)
      pair.server.receive([], ended: true)
      #expect(pair.server.plain.isEmpty)
      #expect(pair.server.failure != nil, "byte \(position)")
    }
  }
}

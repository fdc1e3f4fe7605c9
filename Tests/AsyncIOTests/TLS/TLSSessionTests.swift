import POSIX
import Testing

@testable import AsyncIO

/// Sessions against each other in memory: what they agree on, what they refuse, and how they end. How a session meets
/// other programs is tested where it has a connection.
@Suite("TLS sessions", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"))
struct TLSSessionTests {
  static var files: TestCertificates { TestCertificates.shared }
  static var trust: TLSTrust { .file(files.path("ca.pem")) }

  static func identity(_ name: String, key: String? = nil, password: String? = nil) -> TLSIdentity {
    .files(chain: files.path("\(name).pem"), key: files.path("\(key ?? name).key"), password: password)
  }

  static func client() -> TLSConfiguration { .client(trusting: trust) }
  static func server(_ name: String = "ecdsa") -> TLSConfiguration { .server(identity(name)) }

  // MARK: What is agreed on

  @Test("Both sides get what the other wrote", arguments: [TLSVersion.tls12, .tls13], ["ecdsa", "rsa", "ed25519"])
  func talks(_ version: TLSVersion, _ key: String) throws {
    var client = Self.client()
    client.maximumVersion = version
    let pair = try SessionPair(client: client, server: Self.server(key))
    pair.exchange()
    try #require(pair.client.failure == nil && pair.server.failure == nil)
    let (question, answer) = ([UInt8](0...255), [UInt8](repeating: 7, count: 300_000))
    try pair.client.send(question)
    try pair.server.send(answer)
    pair.exchange()
    #expect(pair.server.plain == question)
    #expect(pair.client.plain == answer)
    let information = pair.client.session.information()
    #expect(information.version == "\(version)")
    #expect(information.cipher.bits >= 128)
    #expect(information.peerCertificates.map(\.subject) == ["CN=\(key)"])
    #expect(information.peerCertificates[0].issuer == "CN=ca")
    #expect(information.peerCertificates[0].hostnames == ["localhost", "*.example.org", "127.0.0.1", "::1"])
    #expect(information.peerCertificates[0].notAfter - information.peerCertificates[0].notBefore == 10 * 86_400)
    #expect(pair.server.session.information().serverName == "localhost")
    #expect(pair.server.session.information().peerCertificates.isEmpty)
  }

  @Test("A handshake may come byte by byte", arguments: [TLSVersion.tls12, .tls13])
  func trickles(_ version: TLSVersion) throws {
    var client = Self.client()
    client.maximumVersion = version
    let pair = try SessionPair(client: client, server: Self.server("rsa"))
    pair.exchange(piece: 1)
    try pair.client.send([1, 2, 3])
    try pair.client.session.end()
    pair.exchange(piece: 1)
    #expect(pair.server.plain == [1, 2, 3])
    #expect(pair.server.hasEnded)
    #expect(pair.server.failure == nil && pair.client.failure == nil)
  }

  @Test("The server chooses the application protocol that it likes best")
  func applicationProtocol() throws {
    var (client, server) = (Self.client(), Self.server())
    client.applicationProtocols = ["h2", "http/1.1"]
    server.applicationProtocols = ["http/1.1", "h2"]
    let pair = try SessionPair(client: client, server: server)
    pair.exchange()
    #expect(pair.client.session.information().applicationProtocol == "http/1.1")
    #expect(pair.server.session.information().applicationProtocol == "http/1.1")
  }

  @Test("A side without application protocols leaves the other alone")
  func applicationProtocolOfOneSide() throws {
    var client = Self.client()
    client.applicationProtocols = ["h2"]
    let pair = try SessionPair(client: client, server: Self.server())
    pair.exchange()
    #expect(pair.client.isEstablished)
    #expect(pair.client.session.information().applicationProtocol == nil)
  }

  @Test(
    "The name that the client asks for chooses the certificate",
    arguments: [
      ("other.example", "other"), ("OTHER.example", "other"), ("a.example.org", "rsa"), ("localhost", "ecdsa"),
      ("a.b.example.org", nil),
    ])
  func serverName(_ name: String, _ expected: String?) throws {
    var server = Self.server()
    server.identitiesByName = ["other.example": Self.identity("other"), "*.example.org": Self.identity("rsa")]
    let pair = try SessionPair(client: Self.client(), server: server, serverName: name)
    pair.exchange()
    if let expected {
      #expect(pair.client.session.information().peerCertificates.first?.subject == "CN=\(expected)")
    } else {
      // A star stands for one label, so this is the default certificate, which is for other hosts.
      #expect(pair.client.failure?.code == .hostnameMismatch)
    }
  }

  @Test("A session is resumed", arguments: [TLSVersion.tls12, .tls13])
  func resumes(_ version: TLSVersion) throws {
    var client = Self.client()
    client.maximumVersion = version
    let contexts = (try TLSContext(client), try TLSContext(Self.server()))
    var wasResumed: [Bool] = []
    for _ in 0..<3 {
      let pair = try SessionPair(contexts.0, contexts.1)
      pair.exchange()
      wasResumed.append(pair.client.session.information().isResumed)
      #expect(pair.server.session.information().serverName == "localhost")
      // The server was checked before: it counts as checked, and is still known.
      #expect(pair.client.session.information().peerCertificates.first?.subject == "CN=ecdsa")
      // OpenSSL does not resume the session of a connection that was cut.
      try pair.client.session.end()
    }
    #expect(wasResumed == [false, true, true])
    let elsewhere = try SessionPair(contexts.0, contexts.1, serverName: "127.0.0.1")
    elsewhere.exchange()
    #expect(!elsewhere.client.session.information().isResumed)
  }

  @Test("No session is resumed if one side does not want it", arguments: [true, false])
  func resumesNot(_ isClient: Bool) throws {
    var (client, server) = (Self.client(), Self.server())
    if isClient { client.resumesSessions = false } else { server.resumesSessions = false }
    let contexts = (try TLSContext(client), try TLSContext(server))
    for _ in 0..<2 {
      let pair = try SessionPair(contexts.0, contexts.1)
      pair.exchange()
      #expect(pair.client.isEstablished)
      #expect(!pair.client.session.information().isResumed)
      try pair.client.session.end()
    }
  }

  @Test("Secrets go to the key log file, for its owner only")
  func keyLog() throws {
    var client = Self.client()
    let path = Self.files.path("keys")
    client.keyLogFile = path
    let pair = try SessionPair(client: client, server: Self.server())
    pair.exchange()
    let text = String(decoding: try SmallFile.contents(of: path), as: UTF8.self)
    #expect(text.contains("CLIENT_TRAFFIC_SECRET_0 "))
    #expect(text.hasSuffix("\n"))
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
  }

  // MARK: Certificates

  @Test(
    "A certificate that does not hold is refused, and the text says why",
    arguments: [
      ("expired", "localhost", TLSError.Code.certificateExpired), ("self", "localhost", .unknownAuthority),
      ("unknown", "localhost", .unknownAuthority), ("below", "localhost", .unknownAuthority),
      ("ecdsa", "wrong.test", .hostnameMismatch), ("ecdsa", "127.0.0.2", .hostnameMismatch),
      ("ecdsa", "example.org", .hostnameMismatch), ("client", "localhost", .wrongPurpose),
      ("misissued", "localhost", .wrongPurpose),
    ])
  func refusedCertificate(_ name: String, _ host: String, _ code: TLSError.Code) throws {
    let pair = try SessionPair(client: Self.client(), server: Self.server(name), serverName: host)
    pair.exchange()
    let failure = try #require(pair.client.failure)
    #expect(failure.code == code, "\(failure)")
    #expect(!pair.client.isEstablished)
    // The server is told, and cannot mistake it for a finished handshake.
    #expect(pair.server.failure?.code == .peerAlert)
    #expect(pair.server.plain.isEmpty)
    // A session that has failed stays failed, with the same reason.
    pair.client.failure = nil
    pair.client.receive([])
    #expect(pair.client.failure?.code == code)
  }

  @Test("A chain up to a trusted authority is accepted")
  func chain() throws {
    let identity = TLSIdentity.files(chain: Self.files.path("chain.pem"), key: Self.files.path("below.key"))
    let pair = try SessionPair(client: Self.client(), server: .server(identity))
    pair.exchange()
    #expect(pair.client.session.information().peerCertificates.map(\.subject) == ["CN=below", "CN=intermediate"])
  }

  @Test(
    "A client accepts what it is told to accept",
    arguments: [(TLSVerification.none, "unknown", true), (.withoutHostname, "other", true), (.full, "other", false)])
  func verification(_ verification: TLSVerification, _ name: String, _ isAccepted: Bool) throws {
    var client = Self.client()
    client.verification = verification
    let pair = try SessionPair(client: client, server: Self.server(name))
    pair.exchange()
    #expect(pair.client.isEstablished == isAccepted)
  }

  @Test("The text of certificates and keys does as well as their files")
  func texts() throws {
    func text(_ name: String) throws -> String {
      String(decoding: try SmallFile.contents(of: Self.files.path(name)), as: UTF8.self)
    }
    let identity = TLSIdentity.pem(chain: try text("ecdsa.pem"), key: try text("encrypted.key"), password: "secret")
    let pair = try SessionPair(client: .client(trusting: .pem(try text("ca.pem"))), server: .server(identity))
    pair.exchange()
    #expect(pair.client.isEstablished && pair.server.isEstablished)
  }

  @Test(
    "A server that asks for certificates",
    arguments: [
      (TLSVerification.full, "client", nil), (.full, nil, TLSError.Code.certificateMissing),
      (.full, "unknown", .unknownAuthority), (.optional, nil, nil), (.optional, "client", nil),
      (.optional, "unknown", .unknownAuthority),
    ] as [(TLSVerification, String?, TLSError.Code?)])
  func clientCertificates(_ verification: TLSVerification, _ name: String?, _ code: TLSError.Code?) throws {
    var (client, server) = (Self.client(), Self.server())
    server.verification = verification
    server.trust = Self.trust
    client.identity = name.map { Self.identity($0) }
    let pair = try SessionPair(client: client, server: server)
    pair.exchange()
    #expect(pair.server.failure?.code == code)
    #expect(pair.server.isEstablished == (code == nil))
    if code == nil {
      #expect(pair.server.session.information().peerCertificates.first?.subject == name.map { "CN=\($0)" })
    } else {
      #expect(pair.client.failure != nil)
    }
  }
}

import POSIX
import Testing

@testable import AsyncIO

/// Contexts that read their files again.
@Suite(
  "TLS reload", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSReloadTests {
  private static var files: TestCertificates { TestCertificates.shared }

  /// Files of a server whose contents the test changes.
  struct ServerFiles: Sendable {
    let directory = TemporaryDirectory()
    var identity: TLSIdentity { .files(chain: "\(directory.path)/cert", key: "\(directory.path)/key") }

    init(_ name: String) throws { try use(name) }

    /// Write the certificate and the key of a name.
    func use(_ name: String, key: String? = nil) throws {
      for (source, target) in [("\(name).pem", "cert"), ("\(key ?? name).key", "key")] {
        let text = String(decoding: try SmallFile.contents(of: files.path(source)), as: UTF8.self)
        _ = try directory.write(text, to: target)
      }
    }
  }

  /// Connect, and return the connection and the subject of the certificate that the server showed.
  private static func connect(_ port: UInt16, _ client: TLSContext) async throws -> (StreamConnection, String) {
    let connection = try await StreamConnection.connect(
      host: "127.0.0.1", port: port, tls: client, serverHostname: "localhost")
    return (connection, connection.tlsInformation?.peerCertificates.first?.subject ?? "")
  }

  @Test(
    "New connections get the new certificate, those that run go on, a bad file changes nothing",
    arguments: LoopKind.allCases)
  func reload(kind: LoopKind) async throws {
    let server = try ServerFiles("ecdsa")
    try await kind.run { _ in
      let context = try TLSContext(.server(server.identity))
      let copy = context
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: context)
      let serving = try loopTask {
        try await listener.serve { connection in
          try await connection.forEachChunk { try await connection.write($0) }
        }
      }
      let client = try TLSContext(TLSSessionTests.client())
      func echoes(_ connection: StreamConnection) async throws -> Bool {
        try await connection.write("word")
        return try await connection.readExactly(4) == [UInt8]("word".utf8)
      }
      let (first, before) = try await Self.connect(listener.port, client)
      defer { first.close() }
      #expect(before == "CN=ecdsa")
      #expect(try await echoes(first))

      try server.use("rsa")
      // A copy, because a listener has one as well.
      try copy.reload()
      let (second, after) = try await Self.connect(listener.port, client)
      defer { second.close() }
      #expect(after == "CN=rsa", "and no session of the old context was resumed")
      #expect(second.tlsInformation?.isResumed == false)

      try server.use("ed25519", key: "ecdsa")
      let error = #expect(throws: TLSError.self) { try copy.reload() }
      #expect(error?.code == .invalidConfiguration)
      unlink("\(server.directory.path)/cert")
      #expect(throws: TLSError.self) { try copy.reload() }
      let (third, still) = try await Self.connect(listener.port, client)
      defer { third.close() }
      #expect(still == "CN=rsa")
      for connection in [first, second, third] { #expect(try await echoes(connection)) }

      listener.close()
      for connection in [first, second, third] { connection.close() }
      try await serving.value
    }
  }

  @Test("A handshake that has begun goes on with what it began with")
  func duringHandshake() throws {
    let server = try ServerFiles("ecdsa")
    let contexts = (try TLSContext(TLSSessionTests.client()), try TLSContext(.server(server.identity)))
    let pair = try SessionPair(contexts.0, contexts.1)
    try server.use("rsa")
    for _ in 0..<3 { try contexts.1.reload() }
    pair.exchange(piece: 1)
    #expect(pair.client.session.information().peerCertificates.first?.subject == "CN=ecdsa")
    let next = try SessionPair(contexts.0, contexts.1)
    next.exchange()
    #expect(next.client.session.information().peerCertificates.first?.subject == "CN=rsa")
  }

  @Test("Threads may reload and make sessions at once")
  func threads() async throws {
    let server = try ServerFiles("ecdsa")
    let context = try TLSContext(.server(server.identity))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<4 {
        group.addTask {
          for _ in 0..<50 {
            if index == 0 {
              try context.reload()
            } else {
              _ = try context.provided.makeSession(serverName: nil, bytes: TLSBytes())
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }
}

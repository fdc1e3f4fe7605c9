import Testing

@testable import AsyncIO

/// With whom a client goes on with what was agreed on before.
@Suite(
  "TLS resumption", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSResumptionTests {
  /// Greet each client of the listeners while the body runs.
  private static func greeting(_ listeners: [StreamListener], _ body: () async throws -> Void) async throws {
    let serving = try listeners.map { listener in
      try loopTask {
        try await listener.serve { connection in
          try await connection.write("hello\n")
          _ = try await connection.readToEnd()
        }
      }
    }
    try await body()
    for listener in listeners { listener.close() }
    for task in serving { try await task.value }
  }

  /// Hear a server out, with whose greeting its tickets have come, and return whether a session was resumed.
  private static func wasResumed(_ connection: StreamConnection) async throws -> Bool? {
    defer { connection.close() }
    #expect(try await connection.readLine() == "hello")
    try connection.writeEOF()
    _ = try await connection.readToEnd()
    return connection.tlsInformation?.isResumed
  }

  @Test(
    "Each service of a host has its own sessions, even if both know the secrets of both",
    arguments: LoopKind.allCases, [true, false])
  func services(kind: LoopKind, sharesSecrets: Bool) async throws {
    for version in [TLSVersion.tls12, .tls13] {
      try await kind.run { _ in
        let server = try TLSContext(TLSSessionTests.server())
        let second = sharesSecrets ? server : try TLSContext(TLSSessionTests.server())
        let listeners = [
          try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: server),
          try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: second),
        ]
        var configuration = TLSSessionTests.client()
        (configuration.minimumVersion, configuration.maximumVersion) = (version, version)
        let client = try TLSContext(configuration)
        try await Self.greeting(listeners) {
          var resumed: [Bool?] = []
          for listener in listeners + listeners {
            resumed.append(
              try await Self.wasResumed(
                StreamConnection.connect(
                  host: "127.0.0.1", port: listener.port, tls: client, serverHostname: "localhost")))
          }
          #expect(resumed == [false, false, true, true], "\(version)")
        }
      }
    }
  }

  @Test("Services on Unix sockets are told apart by their paths", arguments: LoopKind.allCases)
  func unixSockets(kind: LoopKind) async throws {
    let directory = TemporaryDirectory()
    try await kind.run { _ in
      let server = try TLSContext(TLSSessionTests.server())
      let paths = ["\(directory.path)/a", "\(directory.path)/b"]
      var listeners: [StreamListener] = []
      for path in paths { listeners.append(try await StreamListener.bind(unixPath: path, tls: server)) }
      let client = try TLSContext(TLSSessionTests.client())
      try await Self.greeting(listeners) {
        var resumed: [Bool?] = []
        for path in paths + paths {
          resumed.append(
            try await Self.wasResumed(
              StreamConnection.connect(unixPath: path, tls: client, serverHostname: "localhost")))
        }
        #expect(resumed == [false, false, true, true])
      }
    }
  }

  @Test("A service is known by its host and its port, whatever the address")
  func names() throws {
    func service(_ host: String?, _ address: String, _ port: UInt16) throws -> TLSService? {
      TLSService(host: host, at: try #require(SocketAddress(ipLiteral: address, port: port)))
    }
    let first = try #require(try service("localhost", "127.0.0.1", 443))
    #expect(try service("localhost", "::1", 443) == first)
    #expect(try service("localhost", "127.0.0.1", 444) != first)
    #expect(try service("other", "127.0.0.1", 443) != first)
    #expect(try service(nil, "127.0.0.1", 443) == nil)
    #expect(try service("", "127.0.0.1", 443) == nil)
  }
}

#if os(Linux)
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  /// What a server of this library saw of one connection.
  struct Served: Sendable {
    /// What was agreed on; nil if the handshake failed.
    var information: TLSInformation?
    var got: [UInt8] = []
    var error: (any Error)?
    /// The client has said that it sends nothing more.
    var heardGoodbye = false

    var code: TLSError.Code? { (error as? TLSError)?.code }
  }

  extension LoopKind {
    /// Serve clients over TLS, one after the other: read to a separator, answer, say goodbye, hear the client's.
    /// Returns what `client` returns, and what was seen.
    func serve<R: Sendable>(
      _ server: TLSConfiguration, connections: Int = 1, until separator: String = "\n", answer: String = "answer\n",
      _ client: @escaping @Sendable (_ port: UInt16) async throws -> R
    ) async throws -> (result: R, served: [Served]) {
      try await run { _ in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: TLSContext(server))
        defer { listener.close() }
        let serving = try loopTask {
          var served: [Served] = []
          for _ in 0..<connections { served.append(await Self.serveOne(listener, separator, answer)) }
          return served
        }
        let result = try await client(listener.port)
        let served = try await withTimeout(.seconds(10)) {
          try await withTaskCancellationHandler {
            try await serving.value
          } onCancel: {
            serving.cancel()
          }
        }
        return (result, served)
      }
    }

    private static func serveOne(_ listener: StreamListener, _ separator: String, _ answer: String) async -> Served {
      var served = Served()
      var connection: StreamConnection?
      do {
        let accepted = try await listener.accept()
        connection = accepted
        served.got = try await accepted.readUntil(Array(separator.utf8))
        try await accepted.write(answer)
        try accepted.writeEOF()
        _ = try await accepted.readToEnd(limit: 1 << 20)
        served.heardGoodbye = true
      } catch {
        served.error = error
      }
      served.information = connection?.tlsInformation
      connection?.close()
      return served
    }
  }

  /// A client of this library for other programs' servers. On a loop.
  enum TLSPeer {
    /// Connect as soon as the program listens.
    static func connect(
      _ port: UInt16, _ client: TLSContext, serverHostname: String = "localhost"
    ) async throws -> StreamConnection {
      try await Program.wait(for: "somebody who listens on \(port)") {
        do {
          return try await StreamConnection.connect(
            host: "127.0.0.1", port: port, tls: client, serverHostname: serverHostname)
        } catch let error as IOError where error.errno == .connectionRefused {
          return nil
        }
      }
    }

    /// Send a text and read to the server's goodbye.
    static func ask(
      _ port: UInt16, _ client: TLSContext, serverHostname: String = "localhost", _ question: String
    ) async throws -> (answer: String, information: TLSInformation) {
      let connection = try await connect(port, client, serverHostname: serverHostname)
      defer { connection.close() }
      try await connection.write(question)
      let answer = try await withTimeout(.seconds(10)) { try await connection.readToEnd(limit: 1 << 20) }
      return (String(decoding: answer, as: UTF8.self), try #require(connection.tlsInformation))
    }

    /// How a server refuses a client, which sends nothing: what it sends to a server that has gone may take the alert
    /// away that says why.
    static func refusal(_ port: UInt16, _ client: TLSConfiguration) async throws -> TLSError {
      try await failure(TLSError.self) {
        let connection = try await connect(port, TLSContext(client))
        defer { connection.close() }
        _ = try await withTimeout(.seconds(10)) { try await connection.readToEnd(limit: 1_000) }
      }
    }
  }

  extension TLSConfiguration {
    /// The same settings with other versions.
    func speaking(_ oldest: TLSVersion, to newest: TLSVersion) -> TLSConfiguration {
      var configuration = self
      (configuration.minimumVersion, configuration.maximumVersion) = (oldest, newest)
      return configuration
    }

    func speaking(_ version: TLSVersion) -> TLSConfiguration { speaking(version, to: version) }

    /// The same settings with the certificate for clients.
    var withClientCertificate: TLSConfiguration {
      var configuration = self
      configuration.identity = TLSSessionTests.identity("client")
      return configuration
    }

    /// The same settings, for a server that wants certificates of its clients.
    var wantingCertificates: TLSConfiguration {
      var configuration = self
      (configuration.verification, configuration.trust) = (.full, TLSSessionTests.trust)
      return configuration
    }
  }

  extension TLSVersion {
    /// The option of the program openssl that allows this version alone.
    var option: String { self == .tls12 ? "-tls1_2" : "-tls1_3" }
  }
#endif

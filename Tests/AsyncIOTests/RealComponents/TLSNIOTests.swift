#if os(Linux)
  import POSIX
  import Testing

  @testable import AsyncIO

  private let program = getenv("ASYNCIO_TEST_NIO_PEER").map { String(cString: $0) }

  extension RealComponents {
    /// SwiftNIO with NIOSSL as the other side. The program is a package of its own, Tests/Peers/NIO, and takes minutes
    /// to build; `.ci/run nio` builds it and says here where it is.
    @Suite(.enabled(if: program != nil, "ASYNCIO_TEST_NIO_PEER does not name the program of Tests/Peers/NIO"))
    struct TLSNIO {
      private static var files: TestCertificates { TestCertificates.shared }
      private static let versions: [TLSVersion] = [.tls12, .tls13]

      private static func version(_ version: TLSVersion) -> String { "version=\(version == .tls12 ? "1.2" : "1.3")" }

      /// The arguments that name a certificate.
      private static func certificate(_ name: String) -> [String] {
        ["chain=\(files.path("\(name).pem"))", "key=\(files.path("\(name).key"))"]
      }

      // MARK: Its client

      /// Run a client that checks the server's certificate, asks, and stays until the server's goodbye.
      private static func ask(_ port: UInt16, _ options: [String]) async throws -> Program.Ended {
        let ca = "ca=\(files.path("ca.pem"))"
        return try await Program.run([program!, "ask", "port=\(port)", ca, "name=localhost"] + options)
      }

      @Test("NIO's client: each version with each kind of key", arguments: LoopKind.allCases, ["rsa", "ecdsa"])
      func clients(kind: LoopKind, key: String) async throws {
        for version in Self.versions {
          let (ended, served) = try await kind.serve(TLSSessionTests.server(key)) {
            try await Self.ask($0, [Self.version(version)])
          }
          #expect(ended.output == "agreed on none\nanswer\n" && ended.status == 0, "\(ended.output)")
          #expect(served[0].got == [UInt8]("question\n".utf8))
          #expect(served[0].heardGoodbye, "\(String(describing: served[0].error))")
          #expect(served[0].information?.version == "\(version)")
        }
      }

      @Test("NIO's client: application protocols and certificates", arguments: LoopKind.allCases)
      func clientFeatures(kind: LoopKind) async throws {
        var server = TLSSessionTests.server().wantingCertificates
        server.applicationProtocols = ["http/1.1", "h2"]
        for version in Self.versions {
          let (ended, served) = try await kind.serve(server) {
            try await Self.ask($0, Self.certificate("client") + [Self.version(version), "alpn=h2,http/1.1"])
          }
          #expect(ended.output == "agreed on http/1.1\nanswer\n" && ended.status == 0, "\(ended.output)")
          let information = try #require(served[0].information, "\(String(describing: served[0].error))")
          #expect(information.applicationProtocol == "http/1.1" && information.serverName == "localhost")
          #expect(information.peerCertificates.first?.subject == "CN=client")
        }
      }

      @Test("NIO's client without a certificate is refused", arguments: LoopKind.allCases)
      func clientWithoutCertificate(kind: LoopKind) async throws {
        for version in Self.versions {
          let (ended, served) = try await kind.serve(TLSSessionTests.server().wantingCertificates) {
            try await Self.ask($0, [Self.version(version)])
          }
          #expect(ended.status != 0 && ended.output.contains("failed"), "\(ended.output)")
          #expect(served[0].code == .certificateMissing, "\(String(describing: served[0].error))")
          #expect(served[0].got.isEmpty)
        }
      }

      // MARK: Its server

      private static func serve(_ options: [String], key: String = "ecdsa") async throws -> (Program, UInt16) {
        let server = try Program([program!, "serve"] + certificate(key) + options)
        let line = try await server.waitForLine("listening on ")
        return (server, try #require(line.split(separator: " ").last.flatMap { UInt16($0) }))
      }

      @Test(
        "NIO's server: each version with each kind of key, and again with what was agreed on",
        arguments: LoopKind.allCases, ["rsa", "ecdsa"])
      func servers(kind: LoopKind, key: String) async throws {
        let (server, port) = try await Self.serve([], key: key)
        defer { server.kill() }
        try await kind.run { _ in
          for version in Self.versions {
            let context = try TLSContext(TLSSessionTests.client().speaking(version))
            for isResumed in [false, true] {
              let (answer, information) = try await TLSPeer.ask(port, context, "question\n")
              #expect(answer == "none: question\n", "\(server.output)")
              #expect(information.version == "\(version)" && information.isResumed == isResumed)
              #expect(information.peerCertificates.first?.subject == "CN=\(key)")
            }
          }
        }
      }

      @Test("NIO's server: application protocols and certificates", arguments: LoopKind.allCases)
      func serverFeatures(kind: LoopKind) async throws {
        let (server, port) = try await Self.serve(["alpn=http/1.1", "ca=\(Self.files.path("ca.pem"))"])
        defer { server.kill() }
        try await kind.run { _ in
          for version in Self.versions {
            var client = TLSSessionTests.client().speaking(version).withClientCertificate
            client.applicationProtocols = ["h2", "http/1.1"]
            let (answer, information) = try await TLSPeer.ask(port, TLSContext(client), "question\n")
            #expect(answer == "http/1.1: question\n" && information.applicationProtocol == "http/1.1")
            client.identity = nil
            let refused = try await TLSPeer.refusal(port, client)
            #expect([.peerAlert, .certificateMissing].contains(refused.code), "\(refused)")
          }
        }
      }

      @Test("NIO's server: certificates that do not fit end the connection", arguments: LoopKind.allCases)
      func wrongServers(kind: LoopKind) async throws {
        let expected = [
          ("other", TLSError.Code.hostnameMismatch), ("expired", .certificateExpired), ("unknown", .unknownAuthority),
        ]
        for (key, code) in expected {
          let (server, port) = try await Self.serve([], key: key)
          defer { server.kill() }
          try await kind.run { _ in
            let error = try await TLSPeer.refusal(port, TLSSessionTests.client())
            #expect(error.code == code, "\(error)")
          }
        }
      }
    }
  }
#endif

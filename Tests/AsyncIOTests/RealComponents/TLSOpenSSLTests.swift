#if os(Linux)
  import POSIX
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// The program openssl as the other side.
    @Suite(.enabled(if: TestCertificates.isAvailable, "the program openssl is not installed")) struct TLSOpenSSL {
      private static var files: TestCertificates { TestCertificates.shared }
      private static let versions: [TLSVersion] = [.tls12, .tls13]

      // MARK: s_client

      /// Run a client that checks everything, sends "question", and stays until the server's goodbye.
      private static func client(
        _ port: UInt16, _ options: String..., name: String = "localhost", question: String = "question\n"
      ) async throws -> Program.Ended {
        let directory = TemporaryDirectory()
        return try await Program.run(
          [
            "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", files.path("ca.pem"), "-ign_eof",
            "-verify_return_error", "-servername", name, "-verify_hostname", name,
          ] + options, input: try directory.write(question, to: "input"))
      }

      @Test(
        "s_client: each version with each kind of key", arguments: LoopKind.allCases, ["rsa", "ecdsa", "ed25519"])
      func clients(kind: LoopKind, key: String) async throws {
        for version in Self.versions {
          let (ended, served) = try await kind.serve(TLSSessionTests.server(key)) {
            try await Self.client($0, version.option)
          }
          #expect(ended.status == 0, "\(ended.output)")
          #expect(ended.output.contains("answer\n") && ended.output.contains("Verify return code: 0 (ok)"))
          #expect(served[0].got == [UInt8]("question\n".utf8))
          #expect(served[0].heardGoodbye, "\(String(describing: served[0].error))")
          #expect(served[0].information?.version == "\(version)")
        }
      }

      @Test("s_client: names, application protocols and certificates", arguments: LoopKind.allCases)
      func clientFeatures(kind: LoopKind) async throws {
        var server = TLSSessionTests.server().wantingCertificates
        server.applicationProtocols = ["http/1.1", "h2"]
        server.identitiesByName = ["other.example": TLSSessionTests.identity("other")]
        for version in Self.versions {
          let (ended, served) = try await kind.serve(server) { port in
            try await Self.client(
              port, version.option, "-alpn", "h2,http/1.1", "-cert", Self.files.path("client.pem"), "-key",
              Self.files.path("client.key"), name: "other.example")
          }
          #expect(ended.output.contains("ALPN protocol: http/1.1"), "\(ended.output)")
          #expect(ended.output.contains("subject=CN = other"))
          let information = try #require(served[0].information, "\(String(describing: served[0].error))")
          #expect(information.applicationProtocol == "http/1.1" && information.serverName == "other.example")
          #expect(information.peerCertificates.first?.subject == "CN=client")
        }
      }

      @Test("s_client without a certificate is refused", arguments: LoopKind.allCases)
      func clientWithoutCertificate(kind: LoopKind) async throws {
        for version in Self.versions {
          let (ended, served) = try await kind.serve(TLSSessionTests.server().wantingCertificates) {
            try await Self.client($0, version.option)
          }
          #expect(ended.status != 0)
          #expect(ended.output.contains(version == .tls12 ? "alert handshake failure" : "alert certificate required"))
          #expect(served[0].code == .certificateMissing, "\(String(describing: served[0].error))")
          #expect(served[0].got.isEmpty)
        }
      }

      @Test("s_client resumes", arguments: LoopKind.allCases)
      func clientResumes(kind: LoopKind) async throws {
        // Six connections, of which the last one asks.
        let (ended, served) = try await kind.serve(TLSSessionTests.server(), connections: 6) {
          try await Self.client($0, "-tls1_2", "-reconnect")
        }
        #expect(ended.output.contains("answer\n"), "\(ended.output)")
        #expect(served.map { $0.information?.isResumed } == [false] + Array(repeating: true, count: 5))
        let directory = TemporaryDirectory()
        let session = "\(directory.path)/session"
        for version in Self.versions {
          let (_, served) = try await kind.serve(TLSSessionTests.server(), connections: 2) { port in
            _ = try await Self.client(port, version.option, "-sess_out", session)
            return try await Self.client(port, version.option, "-sess_in", session)
          }
          #expect(served.map { $0.information?.isResumed } == [false, true])
          #expect(served.allSatisfy { $0.heardGoodbye })
        }
      }

      @Test("s_client asks to renegotiate, and is refused", arguments: LoopKind.allCases)
      func renegotiation(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/commands"
        #expect(mkfifo(path, 0o600) == 0)
        // Held open, so that the client does not see an end before the answer.
        let commands = open(path, O_RDWR)
        defer { close(commands) }
        #expect(write(commands, "R\n", 2) == 2)
        let (ended, served) = try await kind.serve(TLSSessionTests.server()) { port in
          try await Program.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-tls1_2"], input: path)
        }
        #expect(ended.output.contains("RENEGOTIATING") && ended.output.contains("no renegotiation"), "\(ended.output)")
        #expect(served[0].got.isEmpty && served[0].error != nil)
      }

      // MARK: s_server

      /// Start a server that sends each line back in reverse, and ends after the line "CLOSE".
      private static func server(_ options: String..., key: String = "ecdsa") async throws -> (Program, UInt16) {
        let server = try Program(
          [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", files.path("\(key).pem"), "-key",
            files.path("\(key).key"), "-rev",
          ] + options)
        let line = try await server.waitForLine("ACCEPT ")
        return (server, try #require(line.split(separator: ":").last.flatMap { UInt16($0) }))
      }

      @Test(
        "s_server: each version with each kind of key, and again with what was agreed on", arguments: LoopKind.allCases,
        ["rsa", "ecdsa", "ed25519"])
      func servers(kind: LoopKind, key: String) async throws {
        let (server, port) = try await Self.server(key: key)
        defer { server.kill() }
        try await kind.run { _ in
          for version in Self.versions {
            let context = try TLSContext(TLSSessionTests.client().speaking(version))
            for isResumed in [false, true] {
              let (answer, information) = try await TLSPeer.ask(port, context, "question\nCLOSE\n")
              #expect(answer == "noitseuq\n", "\(server.output)")
              #expect(information.version == "\(version)" && information.isResumed == isResumed)
              #expect(information.peerCertificates.first?.subject == "CN=\(key)")
            }
          }
        }
      }

      @Test("s_server: application protocols and certificates", arguments: LoopKind.allCases)
      func serverFeatures(kind: LoopKind) async throws {
        let (server, port) = try await Self.server(
          "-alpn", "http/1.1,h2", "-Verify", "1", "-verify_return_error", "-CAfile", Self.files.path("ca.pem"))
        defer { server.kill() }
        try await kind.run { _ in
          for version in Self.versions {
            var client = TLSSessionTests.client().speaking(version).withClientCertificate
            client.applicationProtocols = ["h2", "http/1.1"]
            let (answer, information) = try await TLSPeer.ask(port, TLSContext(client), "abc\nCLOSE\n")
            #expect(answer == "cba\n" && information.applicationProtocol == "http/1.1")
            client.identity = nil
            let refused = try await TLSPeer.refusal(port, client)
            #expect(refused.code == (version == .tls12 ? .peerAlert : .certificateMissing), "\(refused)")
          }
          #expect(server.output.contains("Peer certificate: CN = client"), "\(server.output)")
        }
      }

      @Test("s_server: certificates that do not fit end the connection", arguments: LoopKind.allCases)
      func wrongServers(kind: LoopKind) async throws {
        let expected = [
          ("other", TLSError.Code.hostnameMismatch), ("expired", .certificateExpired), ("unknown", .unknownAuthority),
        ]
        for (key, code) in expected {
          let (server, port) = try await Self.server(key: key)
          defer { server.kill() }
          try await kind.run { _ in
            let error = try await TLSPeer.refusal(port, TLSSessionTests.client())
            #expect(error.code == code, "\(error)")
          }
        }
      }

      @Test("Old versions are refused, by both sides", arguments: LoopKind.allCases)
      func oldVersions(kind: LoopKind) async throws {
        let (server, port) = try await Self.server("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        defer { server.kill() }
        try await kind.run { _ in
          let error = try await TLSPeer.refusal(port, TLSSessionTests.client())
          #expect(error.code == .unsupportedVersion, "\(error)")
        }
        let (ended, served) = try await kind.serve(TLSSessionTests.server()) {
          try await Self.client($0, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        }
        #expect(ended.status != 0 && ended.output.contains("alert protocol version"), "\(ended.output)")
        #expect(served[0].code == .unsupportedVersion, "\(String(describing: served[0].error))")
      }
    }
  }
#endif

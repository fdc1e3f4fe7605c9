#if os(Linux)
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// Servers, clients and wrappers that people use, as the other side.
    @Suite(.enabled(if: TestCertificates.isAvailable, "the program openssl is not installed")) struct TLSPrograms {
      private static var files: TestCertificates { TestCertificates.shared }
      private static let versions: [TLSVersion] = [.tls12, .tls13]

      // MARK: HTTP

      private static func curl(_ port: UInt16, _ options: String..., host: String = "localhost") async throws
        -> Program.Ended
      {
        try await Program.run(
          [
            "curl", "-sS", "--max-time", "10", "--cacert", files.path("ca.pem"), "--resolve",
            "\(host):\(port):127.0.0.1", "https://\(host):\(port)/",
          ] + options)
      }

      @Test(
        "curl gets an answer in each version, and looks at the certificate",
        .enabled(if: Program.areInstalled("curl"), "curl is not installed"), arguments: LoopKind.allCases)
      func curl(kind: LoopKind) async throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"
        var server = TLSSessionTests.server("rsa")
        server.applicationProtocols = ["http/1.1"]
        let versions = [(["--tlsv1.2", "--tls-max", "1.2"], "TLSv1.2"), (["--tlsv1.3"], "TLSv1.3")]
        for (options, version) in versions {
          let (ended, served) = try await kind.serve(server, until: "\r\n\r\n", answer: answer) {
            try await Self.curl($0, options[0], options.count > 1 ? "--tls-max" : "-s", options.last!)
          }
          #expect(ended.output == "hello\n" && ended.status == 0, "\(ended.output)")
          #expect(served[0].information?.version == version)
          #expect(served[0].information?.applicationProtocol == "http/1.1")
        }
        // 60: the certificate is not for this host, or not of an authority that is trusted.
        for (key, host) in [("rsa", "elsewhere.example"), ("unknown", "localhost")] {
          let (ended, served) = try await kind.serve(TLSSessionTests.server(key), until: "\r\n\r\n", answer: answer) {
            try await Self.curl($0, "-v", host: host)
          }
          #expect(ended.status == 60, "\(ended.output)")
          #expect(served[0].got.isEmpty && served[0].error != nil)
        }
      }

      @Test(
        "nginx answers in each version",
        .enabled(if: Program.areInstalled("nginx"), "nginx is not installed"), arguments: LoopKind.allCases)
      func nginx(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let port = try freePort()
        let server = try Program.nginx(
          in: directory,
          server: """
            listen 127.0.0.1:\(port) ssl;
            ssl_certificate \(Self.files.path("chain.pem")); ssl_certificate_key \(Self.files.path("below.key"));
            ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tests:1m;
            return 200 "$ssl_protocol $ssl_session_reused $ssl_server_name\\n";
            """)
        defer { server.kill() }
        try await kind.run { _ in
          for version in Self.versions {
            let context = try TLSContext(TLSSessionTests.client().speaking(version))
            for mark in [".", "r"] {
              let (answer, information) = try await TLSPeer.ask(
                port, context, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
              #expect(answer.hasSuffix("\r\n\r\n\(version) \(mark) localhost\n"), "\(answer)")
              #expect(information.isResumed == (mark == "r"))
            }
          }
        }
      }

      // MARK: Redis

      @Test(
        "Redis answers a client that it knows",
        .enabled(if: Program.areInstalled("redis-server"), "redis is not installed"), arguments: LoopKind.allCases)
      func redis(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let port = try freePort()
        let server = try Program([
          "redis-server", "--port", "0", "--tls-port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir",
          directory.path, "--tls-cert-file", Self.files.path("rsa.pem"), "--tls-key-file", Self.files.path("rsa.key"),
          "--tls-ca-cert-file", Self.files.path("ca.pem"), "--tls-auth-clients", "yes",
        ])
        defer { server.kill() }
        try await server.waitForLine("eady to accept connections")
        try await kind.run { _ in
          let context = try TLSContext(TLSSessionTests.client().withClientCertificate)
          let connection = try await TLSPeer.connect(port, context)
          defer { connection.close() }
          let value = String(repeating: "v", count: 500_000)
          try await connection.write("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$500000\r\n\(value)\r\n")
          try await connection.write("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n")
          #expect(try await connection.readLine() == "+OK")
          #expect(try await connection.readLine() == "$500000")
          #expect(try await connection.readExactly(500_002) == Array("\(value)\r\n".utf8))
          let stranger = try await TLSPeer.refusal(port, TLSSessionTests.client())
          #expect(stranger.code == .certificateMissing, "\(stranger)")
        }
      }

      // MARK: stunnel

      /// Start stunnel between two ports, with settings of its own.
      private static func stunnel(
        _ directory: TemporaryDirectory, from: UInt16, to: UInt16, _ settings: String
      ) throws -> Program {
        let configuration = try directory.write(
          """
          foreground = yes
          pid =
          [test]
          accept = 127.0.0.1:\(from)
          connect = 127.0.0.1:\(to)
          \(settings)

          """, to: "stunnel.conf")
        return try Program(["stunnel4", configuration])
      }

      @Test(
        "stunnel as the client", .enabled(if: Program.areInstalled("stunnel4"), "stunnel4 is not installed"),
        arguments: LoopKind.allCases, versions)
      func stunnelClient(kind: LoopKind, version: TLSVersion) async throws {
        let (answer, served) = try await kind.serve(TLSSessionTests.server().speaking(version)) { port in
          let (directory, front) = (TemporaryDirectory(), try freePort())
          let wrapper = try Self.stunnel(
            directory, from: front, to: port,
            "client = yes\nverifyChain = yes\ncheckHost = localhost\nCAfile = \(Self.files.path("ca.pem"))")
          defer { wrapper.kill() }
          try await wrapper.waitForLine("Configuration successful")
          let plain = try await StreamConnection.connect(host: "127.0.0.1", port: front)
          defer { plain.close() }
          try await plain.write("question\n")
          let answer = try await withTimeout(.seconds(10)) { try await plain.readToEnd(limit: 1_000) }
          try plain.writeEOF()
          return answer
        }
        #expect(answer == Array("answer\n".utf8))
        #expect(served[0].got == Array("question\n".utf8))
        #expect(served[0].information?.version == "\(version)")
      }

      @Test(
        "stunnel as the server", .enabled(if: Program.areInstalled("stunnel4"), "stunnel4 is not installed"),
        arguments: LoopKind.allCases, versions)
      func stunnelServer(kind: LoopKind, version: TLSVersion) async throws {
        try await kind.run { _ in
          let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
          defer { listener.close() }
          let (directory, front) = (TemporaryDirectory(), try freePort())
          let wrapper = try Self.stunnel(
            directory, from: front, to: listener.port,
            "cert = \(Self.files.path("rsa.pem"))\nkey = \(Self.files.path("rsa.key"))")
          defer { wrapper.kill() }
          try await wrapper.waitForLine("Configuration successful")
          let serving = try loopTask {
            let plain = try await listener.accept()
            defer { plain.close() }
            try await plain.write(try await plain.readExactly(300_000))
          }
          let context = try TLSContext(TLSSessionTests.client().speaking(version))
          let connection = try await TLSPeer.connect(front, context)
          defer { connection.close() }
          try await connection.write(numbered(0..<300_000))
          let got = try await withTimeout(.seconds(10)) { try await connection.readToEnd(limit: 1 << 20) }
          #expect(got == numbered(0..<300_000))
          try await serving.value
        }
      }
    }
  }
#endif

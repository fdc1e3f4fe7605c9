#if os(Linux)
  import POSIX
  import Testing

  @testable import AsyncIO

  extension RealPrograms {
    /// The proxy that ends TLS, and the one that begins it, between programs that are not ours.
    @Suite(.enabled(if: TestCertificates.isAvailable, "the program openssl is not installed")) struct ProxyTLS {
      private static var files: TestCertificates { TestCertificates.shared }
      private static var trusting: [String] { ["--tls-ca", files.path("ca.pem")] }

      private static func echo(_ kind: LoopKind, _ options: [String] = []) async throws -> (Program, UInt16) {
        let echo = try Program([Program.command, "echo", "--port", "0", "--loop", kind.commandName] + options)
        return (echo, try await echo.port())
      }

      private static func connect(_ port: UInt16, _ client: TLSContext? = nil) async throws -> StreamConnection {
        guard let client else { return try await .connect(host: "127.0.0.1", port: port) }
        return try await .connect(host: "127.0.0.1", port: port, tls: client, serverHostname: "localhost")
      }

      // MARK: Programs

      @Test(
        "curl gets pages by https of nginx, which knows nothing of it",
        .enabled(if: Program.areInstalled("nginx", "curl"), "nginx or curl is not installed"),
        arguments: LoopKind.allCases)
      func https(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        _ = try directory.write("hello from behind\n", to: "index.html")
        _ = try directory.write(String(repeating: "0123456789abcdef", count: 200_000), to: "large")
        let port = try freePort()
        let server = try Program.nginx(in: directory, server: "listen 127.0.0.1:\(port); root \(directory.path);")
        defer { server.kill() }
        _ = try await Program.wait(for: "nginx: \(server.output)") {
          try await Program.run(["curl", "-sf", "http://127.0.0.1:\(port)/"]).status == 0 ? true : nil
        }
        let proxy = try Program.proxy(kind, with: ["--to", "127.0.0.1:\(port)"] + Program.certificates("chain"))
        let front = try await proxy.port()
        func get(_ path: String, _ options: String...) async throws -> Program.Ended {
          try await Program.run(
            ["curl", "-sS", "--cacert", Self.files.path("ca.pem"), "--resolve", "localhost:\(front):127.0.0.1"]
              + options + ["https://localhost:\(front)\(path)"])
        }
        for version in ["1.2", "1.3"] {
          let page = try await get("/", "--tls-max", version)
          #expect(page.output == "hello from behind\n")
          let large = try await get("/large", "--tls-max", version, "-o", "/dev/null", "-w", "%{size_download}")
          #expect(large.output == "3200000")
        }
        #expect(!proxy.output.contains("rror") && !proxy.output.contains("exception"), "\(proxy.output)")
      }

      private static func redis(_ directory: TemporaryDirectory, _ options: [String]) async throws -> Program {
        let server = try Program(
          ["redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", directory.path] + options)
        try await server.waitForLine("eady to accept connections")
        return server
      }

      private static func benchmark(_ port: UInt16, _ options: String...) async throws {
        let result = try await Program.run(
          ["redis-benchmark", "-p", "\(port)", "-c", "50", "-P", "16", "-n", "4800", "-t", "set,get,incr", "-q"]
            + options)
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.components(of: "requests per second") == 3, "\(result.output)")
        #expect(!result.output.contains("rror"), "\(result.output)")
      }

      // Requests are a multiple of the pipelines' length, so that there are not more than asked for.
      @Test(
        "redis-benchmark with TLS in front of a redis without, and without in front of one with",
        .enabled(if: Program.areInstalled("redis-server", "redis-cli", "redis-benchmark"), "redis is not installed"),
        arguments: LoopKind.allCases)
      func redis(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let (plain, protected) = (try freePort(), try freePort())
        let server = try await Self.redis(
          directory,
          [
            "--port", "\(plain)", "--tls-port", "\(protected)", "--tls-cert-file", Self.files.path("rsa.pem"),
            "--tls-key-file", Self.files.path("rsa.key"), "--tls-ca-cert-file", Self.files.path("ca.pem"),
            "--tls-auth-clients", "no",
          ])
        defer { server.kill() }
        let ending = try Program.proxy(kind, with: ["--to", "127.0.0.1:\(plain)"] + Program.certificates("ecdsa"))
        try await Self.benchmark(try await ending.port(), "--tls", "--cacert", Self.files.path("ca.pem"))
        let starting = try Program.proxy(kind, with: ["--to", "tls:127.0.0.1:\(protected)"] + Self.trusting)
        try await Self.benchmark(try await starting.port())
        let count = try await Program.run([
          "redis-cli", "-p", "\(try await starting.port())", "GET", "counter:__rand_int__",
        ])
        #expect(count.output == "9600\n", "every increment arrived once: \(count.output)")
        for proxy in [ending, starting] { #expect(!proxy.output.contains("exception"), "\(proxy.output)") }
      }

      @Test("s_client gets the certificate that has the name it asks for", arguments: LoopKind.allCases)
      func names(kind: LoopKind) async throws {
        let (echo, port) = try await Self.echo(kind)
        defer { echo.kill() }
        let proxy = try Program.proxy(
          kind, with: ["--to", "127.0.0.1:\(port)"] + Program.certificates("ecdsa", "other"))
        let front = try await proxy.port()
        for (name, subject) in [
          ("other.example", "other"), ("localhost", "ecdsa"), ("a.example.org", "ecdsa"), ("x.test", "ecdsa"),
          (nil, "ecdsa"),
        ] {
          #expect(try await Program.subject(on: front, name: name) == subject, "\(name ?? "no name")")
        }
      }

      @Test(
        "The header of the PROXY protocol comes before the handshake, as nginx wants it",
        .enabled(if: Program.areInstalled("nginx", "curl"), "nginx or curl is not installed"),
        arguments: LoopKind.allCases, ["v1", "v2"])
      func header(kind: LoopKind, version: String) async throws {
        let directory = TemporaryDirectory()
        let port = try freePort()
        let server = try Program.nginx(
          in: directory,
          server: """
            listen 127.0.0.1:\(port) ssl proxy_protocol; ssl_certificate \(Self.files.path("ecdsa.pem"));
            ssl_certificate_key \(Self.files.path("ecdsa.key")); return 200 "$proxy_protocol_addr $proxy_protocol_port";
            """)
        defer { server.kill() }
        let proxy = try Program.proxy(
          kind, with: ["--to", "tls:127.0.0.1:\(port)", "--proxy-protocol", version] + Self.trusting)
        let url = "http://127.0.0.1:\(try await proxy.port())/"
        let told = try await Program.wait(for: "nginx: \(server.output)") {
          let ended = try await Program.run(["curl", "-s", "-w", "|127.0.0.1 %{local_port}", url])
          return ended.status == 0 ? ended.output.split(separator: "|") : nil
        }
        #expect(told.count == 2 && told[0] == told[1], "\(told)")
      }

      // MARK: Reload

      @Test(
        "SIGHUP: new connections get the new certificate, those that run go on, a bad file is reported",
        arguments: LoopKind.allCases, ["proxy", "echo"])
      func reload(kind: LoopKind, command: String) async throws {
        let server = try TLSReloadTests.ServerFiles("ecdsa")
        let path = server.directory.path
        let options = ["--tls-cert", "\(path)/cert", "--tls-key", "\(path)/key"]
        let (echo, port) = try await Self.echo(kind, command == "echo" ? options + ["--loops", "2"] : [])
        defer { echo.kill() }
        let proxy = command == "echo" ? echo : try Program.proxy(kind, with: ["--to", "127.0.0.1:\(port)"] + options)
        let front = try await proxy.port()
        try await kind.run { _ in
          let client = try TLSContext(TLSSessionTests.client())
          func isShown(_ subject: String) async throws -> StreamConnection {
            let connection = try await Self.connect(front, client)
            #expect(connection.tlsInformation?.peerCertificates.first?.subject == "CN=\(subject)")
            #expect(try await connection.exchange("word") == "word")
            return connection
          }
          var connections = [try await isShown("ecdsa")]
          try server.use("rsa")
          proxy.signal(SIGHUP)
          try await proxy.waitForLine("certificates reloaded")
          connections.append(try await isShown("rsa"))
          try server.use("empty", key: "rsa")
          proxy.signal(SIGHUP)
          let line = try await proxy.waitForLine("certificates not reloaded")
          #expect(line.contains("\(path)/cert"), "\(line)")
          connections.append(try await isShown("rsa"))
          for connection in connections {
            #expect(try await connection.exchange("still here") == "still here")
            connection.close()
          }
        }
      }

      // MARK: Targets that are refused

      @Test("A target with a wrong certificate ends the client, and the log says why", arguments: LoopKind.allCases)
      func wrongTargets(kind: LoopKind) async throws {
        let cases: [(name: String, code: String, fix: [String]?)] = [
          ("other", "hostnameMismatch", Self.trusting + ["--tls-name", "other.example"]),
          ("expired", "certificateExpired", nil), ("unknown", "unknownAuthority", ["--tls-no-verify"]),
        ]
        for (name, code, fix) in cases {
          let (server, port) = try await Program.reverser(name)
          defer { server.kill() }
          let proxy = try Program.proxy(kind, with: ["--to", "tls:127.0.0.1:\(port)"] + Self.trusting)
          let front = try await proxy.port()
          let fixed = try fix.map { try Program.proxy(kind, with: ["--to", "tls:127.0.0.1:\(port)"] + $0) }
          let behind = try await fixed?.port()
          try await kind.run { _ in
            #expect(try await StreamConnection.readUntilCut(port: front) == [])
            if let behind {
              let client = try await Self.connect(behind)
              defer { client.close() }
              #expect(try await client.exchange("abc\n") == "cba\n")
            }
          }
          let line = try await proxy.waitForLine("TLS to the target failed")
          #expect(line.contains(code), "\(line)")
          #expect(try await proxy.figures().contains("0 without an answer, 1 failed otherwise"))
        }
      }

      @Test("A target that does not speak TLS, and one that says nothing, are given up", arguments: LoopKind.allCases)
      func noTLS(kind: LoopKind) async throws {
        let (echo, port) = try await Self.echo(kind)
        defer { echo.kill() }
        let proxy = try Program.proxy(kind, with: ["--to", "tls:127.0.0.1:\(port)"] + Self.trusting)
        let front = try await proxy.port()
        try await kind.run { _ in
          let silent = try await StreamListener.bind(host: "127.0.0.1", port: 0)
          let waiting = try Program.proxy(
            kind, with: ["--to", "tls:127.0.0.1:\(silent.port)", "--connect-timeout", "0.3"] + Self.trusting)
          for port in [front, try await waiting.port()] {
            #expect(try await StreamConnection.readUntilCut(port: port) == [])
          }
          try await waiting.waitForLine("the target did not answer within 0.3 seconds")
          silent.close()
        }
        try await proxy.waitForLine("TLS to the target failed")
      }
    }
  }
#endif

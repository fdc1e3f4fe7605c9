#if os(Linux)
  import POSIX
  import Testing

  @testable import AsyncIO
  @testable import AsyncIOPrograms

  extension RealPrograms {
    /// The proxy that routes by the name in the hello and changes no byte: a handshake through it would notice.
    @Suite(.enabled(if: TestCertificates.isAvailable, "the program openssl is not installed")) struct ProxyRoutes {
      private static var files: TestCertificates { TestCertificates.shared }

      @Test("s_client reaches the server of the name, and the default otherwise", arguments: LoopKind.allCases)
      func routes(kind: LoopKind) async throws {
        let servers = [
          try await Program.reverser("other"), try await Program.reverser("rsa"), try await Program.reverser("ecdsa"),
        ]
        defer { for server in servers { server.program.kill() } }
        let proxy = try Program.proxy(
          kind,
          with: [
            "--sni", "other.example=127.0.0.1:\(servers[0].port)", "--sni",
            "*.example.org=127.0.0.1:\(servers[1].port)",
            "--to", "127.0.0.1:\(servers[2].port)",
          ])
        let port = try await proxy.port()
        for (name, subject) in [
          ("other.example", "other"), ("Other.Example", "other"), ("a.example.org", "rsa"), ("b.example.org", "rsa"),
          ("example.org", "ecdsa"), ("a.b.example.org", "ecdsa"), ("localhost", "ecdsa"), (nil, "ecdsa"),
        ] {
          #expect(try await Program.subject(on: port, name: name) == subject, "\(name ?? "no name")")
        }
        #expect(!proxy.output.contains("exception"), "\(proxy.output)")
      }

      @Test(
        "Without a default, other clients are refused: by an alert, and by a line in the log",
        arguments: LoopKind.allCases)
      func refusals(kind: LoopKind) async throws {
        let (server, behind) = try await Program.reverser("ecdsa")
        defer { server.kill() }
        let proxy = try Program.proxy(kind, with: ["--sni", "localhost=127.0.0.1:\(behind)"])
        let port = try await proxy.port()
        #expect(try await Program.subject(on: port, name: "localhost") == "ecdsa")
        #expect(try await Program.subject(on: port, name: "x.example").contains("unrecognized name"))
        try await proxy.waitForLine("a client asked for \"x.example\", which no target is for")
        #expect(try await Program.subject(on: port, name: nil).contains("unrecognized name"))
        try await proxy.waitForLine("a client named no host")
        try await kind.run { _ in
          let client = try await StreamConnection.connect(host: "127.0.0.1", port: port)
          defer { client.close() }
          try await client.write("GET / HTTP/1.1\r\n\r\n")
          await #expect(throws: IOError.self) {
            try await withTimeout(.seconds(10)) { _ = try await client.read(upTo: 1) }
          }
        }
        try await proxy.waitForLine("it does not begin as TLS does")
        try await proxy.waitForFigures("3 refused at TLS")
      }

      @Test(
        "What is not TLS goes to the default with every byte, and what is not even that waits for its limit",
        arguments: LoopKind.allCases)
      func otherClients(kind: LoopKind) async throws {
        let echo = try Program.echo(kind)
        defer { echo.kill() }
        let proxy = try Program.proxy(
          kind,
          with: [
            "--sni", "localhost=127.0.0.1:1", "--to", "127.0.0.1:\(try await echo.port())", "--handshake-timeout",
            "0.3",
          ])
        let port = try await proxy.port()
        try await kind.run { _ in
          let plain = try await StreamConnection.connect(host: "127.0.0.1", port: port)
          defer { plain.close() }
          for text in ["hello", "and more"] { #expect(try await plain.exchange(text) == text) }
          var silent: [StreamConnection] = []
          for beginning in [[], [22], [22, 3, 1, 0, 100, 1, 0, 0]] as [[UInt8]] {
            silent.append(try await StreamConnection.connect(host: "127.0.0.1", port: port))
            if !beginning.isEmpty { try await silent.last?.write(beginning) }
          }
          // One that leaves in the middle is not refused: it has left.
          let leaving = try await StreamConnection.connect(host: "127.0.0.1", port: port)
          try await leaving.write([22, 3] as [UInt8])
          leaving.close()
          for client in silent {
            #expect(try await client.readUntilCut() == [])
            client.close()
          }
        }
        try await proxy.waitForFigures("3 refused at TLS, 1 left early")
        #expect(!proxy.output.contains("exception"), "\(proxy.output)")
      }

      @Test("Names of routes go through, the TLS of the others ends here", arguments: LoopKind.allCases)
      func both(kind: LoopKind) async throws {
        let (server, behind) = try await Program.reverser("other")
        let echo = try Program.echo(kind)
        defer {
          server.kill()
          echo.kill()
        }
        let proxy = try Program.proxy(
          kind,
          with: ["--sni", "other.example=127.0.0.1:\(behind)", "--to", "127.0.0.1:\(try await echo.port())"]
            + Program.certificates("ecdsa"))
        let port = try await proxy.port()
        try await kind.run { _ in
          let client = try TLSContext(TLSSessionTests.client())
          for (name, answer) in [("other.example", "drow\n"), ("localhost", "word\n")] {
            let connection = try await StreamConnection.connect(
              host: "127.0.0.1", port: port, tls: client, serverHostname: name)
            defer { connection.close() }
            #expect(try await connection.exchange("word\n") == answer)
          }
        }
      }

      @Test(
        "A hello that comes byte by byte, from Python's ssl, finds its route",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"), arguments: LoopKind.allCases)
      func slowHello(kind: LoopKind) async throws {
        let (server, behind) = try await Program.reverser("other")
        defer { server.kill() }
        let proxy = try Program.proxy(kind, with: ["--sni", "other.example=127.0.0.1:\(behind)"])
        let client = try await Program.python(
          """
          import socket, ssl, sys
          context = ssl.create_default_context(cafile=sys.argv[2])
          come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
          tls = context.wrap_bio(come, go, server_hostname="other.example")
          s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
          s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
          def until_done(step, piece):
              while True:
                  try: result = step()
                  except ssl.SSLWantReadError: result = None
                  data = go.read()
                  for i in range(0, len(data), piece): s.sendall(data[i:i + piece])
                  if result is not None: return result
                  data = s.recv(65536)
                  assert data, "ended"
                  come.write(data)
          until_done(lambda: tls.do_handshake() or True, 1)
          until_done(lambda: tls.write(b"word\\n"), 65536)
          print(until_done(lambda: tls.read(100), 65536))
          """, "\(try await proxy.port())", Self.files.path("ca.pem"))
        #expect(client.output == "b'drow\\n'\n", "\(client.output) \(proxy.output)")
      }

      @Test(
        "The hellos of curl, Python and s_client are read: each beginning asks for more, the whole has the name",
        .enabled(if: Program.areInstalled("curl", "python3"), "curl or python3 is not installed"))
      func hellos() async throws {
        try await LoopKind.epoll.run { _ in
          let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
          defer { listener.close() }
          let port = listener.port
          let script = """
            import socket, ssl
            s = socket.create_connection(("127.0.0.1", \(port)), timeout=20)
            ssl.create_default_context().wrap_socket(s, server_hostname="name.example")
            """
          let clients = [
            ["curl", "-sk", "--resolve", "name.example:\(port):127.0.0.1", "https://name.example:\(port)/"],
            ["python3", "-c", script],
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "name.example"],
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "name.example", "-tls1_2"],
            [
              "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "name.example", "-max_send_frag",
              "512",
            ],
          ]
          for arguments in clients {
            let program = try Program(arguments)
            defer { program.kill() }
            let connection = try await withTimeout(.seconds(10)) { try await listener.accept() }
            defer { connection.close() }
            var (reader, bytes) = (ClientHelloReader(), [UInt8]())
            while reader.verdict == .more {
              let byte = try await withTimeout(.seconds(10)) { try await connection.readExactly(1) }
              _ = reader.take(byte)
              bytes += byte
            }
            #expect(reader.verdict == .hello(name: "name.example"), "\(arguments): \(bytes)")
            var whole = ClientHelloReader()
            #expect(whole.take(bytes) == reader.verdict)
          }
        }
      }
    }
  }
#endif

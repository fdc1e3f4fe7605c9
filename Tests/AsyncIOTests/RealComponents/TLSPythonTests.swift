#if os(Linux)
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// Python's modules ssl and asyncio as the other side.
    @Suite(
      .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
      .enabled(if: Program.areInstalled("python3"), "python3 is not installed"))
    struct TLSPython {
      private static var files: TestCertificates { TestCertificates.shared }
      private static let versions: [TLSVersion] = [.tls12, .tls13]

      /// What each script begins with: the contexts of a client and a server for one version.
      private static let contexts = """
        import asyncio, socket, ssl, sys
        directory, port = sys.argv[1], int(sys.argv[2])
        version = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[sys.argv[3]]
        client = ssl.create_default_context(cafile=directory + "/ca.pem")
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(directory + "/chain.pem", directory + "/below.key")
        for context in client, server: context.minimum_version = context.maximum_version = version
        client.set_alpn_protocols(["a", "b"]); server.set_alpn_protocols(["b"])

        """

      /// Clients, which say what they got and see the end as one.
      private static let clients = [
        "ssl": """
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        s = client.wrap_socket(s, server_hostname="localhost", suppress_ragged_eofs=False)
        s.sendall(b"question\\n"); got = b""
        while data := s.recv(1000): got += data
        print(got, s.version(), s.selected_alpn_protocol(), flush=True)
        s.unwrap()
        """,
        "asyncio": """
        async def main():
            r, w = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")
            w.write(b"question\\n")
            got = await asyncio.wait_for(r.read(), 10)
            s = w.get_extra_info("ssl_object")
            print(got, s.version(), s.selected_alpn_protocol(), flush=True)
            w.close(); await w.wait_closed()
        asyncio.run(main())
        """,
      ]

      @Test("Python's clients", arguments: LoopKind.allCases, ["ssl", "asyncio"])
      func clients(kind: LoopKind, module: String) async throws {
        var server = TLSSessionTests.server("rsa")
        server.applicationProtocols = ["b", "a"]
        for version in Self.versions {
          let (ended, served) = try await kind.serve(server) { port in
            try await Program.python(
              Self.contexts + Self.clients[module]!, Self.files.directory, "\(port)", "\(version)")
          }
          #expect(ended.output == "b'answer\\n' \(version) b\n" && ended.status == 0, "\(ended.output)")
          #expect(served[0].got == Array("question\n".utf8))
          #expect(served[0].heardGoodbye, "\(String(describing: served[0].error))")
        }
      }

      /// Servers, which send back what they get until the client's goodbye.
      private static let servers = [
        "ssl": """
        listener = socket.create_server(("127.0.0.1", 0))
        print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
        listener = server.wrap_socket(listener, server_side=True, suppress_ragged_eofs=False)
        s, _ = listener.accept(); s.settimeout(10)
        while data := s.recv(10000): s.sendall(data)
        print("end", flush=True)
        s.unwrap(); s.close()
        """,
        "asyncio": """
        async def main():
            async def handle(r, w):
                while data := await r.read(10000): w.write(data); await w.drain()
                print("end", flush=True)
                w.close(); await w.wait_closed()
            listener = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=server)
            print("listening on 127.0.0.1:%d" % listener.sockets[0].getsockname()[1], flush=True)
            await asyncio.sleep(30)
        asyncio.run(main())
        """,
      ]

      @Test("Python's servers", arguments: LoopKind.allCases, ["ssl", "asyncio"])
      func servers(kind: LoopKind, module: String) async throws {
        for version in Self.versions {
          let server = try Program([
            "python3", "-uc", Self.contexts + Self.servers[module]!, Self.files.directory, "0", "\(version)",
          ])
          defer { server.kill() }
          let port = try await server.port()
          try await kind.run { _ in
            var client = TLSSessionTests.client()
            client.applicationProtocols = ["a", "b"]
            let connection = try await TLSPeer.connect(port, TLSContext(client))
            defer { connection.close() }
            let bytes = numbered(0..<400_000)
            async let sent: Void = connection.write(bytes)
            #expect(try await withTimeout(.seconds(10)) { try await connection.readExactly(bytes.count) } == bytes)
            try await sent
            #expect(connection.tlsInformation?.version == "\(version)")
            #expect(connection.tlsInformation?.applicationProtocol == "b")
            try connection.writeEOF()
            try await server.waitForLine("end")
            #expect(try await withTimeout(.seconds(10)) { try await connection.readToEnd() } == [])
          }
        }
      }
    }
  }
#endif

#if os(Linux)
  import Testing

  extension RealPrograms {
    /// The header of the PROXY protocol, as nginx reads it.
    @Suite(.enabled(if: Program.areInstalled("nginx", "curl"), "nginx or curl is not installed")) struct ProxyProtocol {
      private func nginx(_ directory: TemporaryDirectory, port: UInt16) throws -> Program {
        try Program.nginx(
          in: directory,
          server: """
            listen 127.0.0.1:\(port) proxy_protocol;
            return 200
                "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
            """)
      }

      private func proxy(_ kind: LoopKind, _ listen: String, to port: UInt16, _ options: String...) throws -> Program {
        try Program(
          [
            Program.command, "proxy", "--listen", listen, "--to", "127.0.0.1:\(port)", "--loop", kind.commandName,
          ] + options)
      }

      /// Ask until nginx is there; what it says.
      private func ask(_ arguments: [String]) async throws -> String {
        try await Program.wait(for: "an answer to \(arguments)") {
          let ended = try await Program.run(["curl", "-s", "--max-time", "10", "-w", "|%{local_port}"] + arguments)
          return ended.status == 0 ? ended.output : nil
        }
      }

      @Test(
        "nginx learns the client's address and the one that it called", arguments: LoopKind.allCases, ["v1", "v2"])
      func address(kind: LoopKind, version: String) async throws {
        let directory = TemporaryDirectory()
        let port = try freePort()
        let nginx = try nginx(directory, port: port)
        defer { nginx.kill() }
        for host in ["127.0.0.1", "::1"] {
          let isIPv6 = host == "::1"
          let proxy = try proxy(kind, isIPv6 ? "[::1]:0" : "127.0.0.1:0", to: port, "--proxy-protocol", version)
          let line = try await proxy.waitForLine("proxy on")
          let front = try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
          let told = try await ask(["http://\(isIPv6 ? "[::1]" : host):\(front)/"]).split(separator: "|")
          try #require(told.count == 2, "\(told)")
          #expect(told[0] == "\(host) \(told[1]) \(host) \(front)")
        }
      }

      @Test("A client of a Unix socket has no address that nginx knows, and is served", arguments: ["v1", "v2"])
      func unix(version: String) async throws {
        let directory = TemporaryDirectory()
        let port = try freePort()
        let nginx = try nginx(directory, port: port)
        defer { nginx.kill() }
        let proxy = try proxy(.epoll, "unix:\(directory.path)/front", to: port, "--proxy-protocol", version)
        try await proxy.waitForLine("proxy on")
        let told = try await ask(["--unix-socket", "\(directory.path)/front", "http://x/"])
        #expect(told.split(separator: "|").first?.allSatisfy { $0 == " " } == true, "\(told)")
      }

      @Test("Without the option nginx gets no header, and refuses")
      func without() async throws {
        let directory = TemporaryDirectory()
        let port = try freePort()
        let nginx = try nginx(directory, port: port)
        defer { nginx.kill() }
        let with = try proxy(.epoll, "127.0.0.1:0", to: port, "--proxy-protocol", "v1")
        _ = try await ask(["http://127.0.0.1:\(try await with.port())/"])
        let proxy = try proxy(.epoll, "127.0.0.1:0", to: port)
        let refused = try await Program.run([
          "curl", "-s", "--max-time", "10", "http://127.0.0.1:\(try await proxy.port())/",
        ])
        #expect(refused.status != 0)
      }
    }
  }
#endif

#if os(Linux)
  import POSIX
  import Testing

  extension RealPrograms {
    /// The proxy between servers and clients that are not ours.
    @Suite struct ProxyProgram {
      private func redis(_ directory: TemporaryDirectory) async throws -> (Program, UInt16) {
        let port = try freePort()
        let server = try Program([
          "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir", directory.path,
        ])
        try await server.waitForLine("eady to accept connections")
        return (server, port)
      }

      @Test(
        "Redis: 200 clients with pipelines get right replies",
        .enabled(
          if: Program.areInstalled("redis-server", "redis-cli", "redis-benchmark"), "redis is not installed"),
        arguments: LoopKind.allCases)
      func redisBenchmark(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let (server, port) = try await redis(directory)
        defer { server.kill() }
        let proxy = try Program.proxy(kind, to: port)
        let through = "\(try await proxy.port())"
        for (arguments, reply) in [(["SET", "key", "value"], "OK\n"), (["GET", "key"], "value\n")] {
          #expect(try await Program.run(["redis-cli", "-p", through] + arguments).output == reply)
        }
        let result = try await Program.run([
          "redis-benchmark", "-p", through, "-c", "200", "-P", "16", "-n", "20000", "-t", "set,get,incr", "-q",
        ])
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.components(of: "requests per second") == 3, "\(result.output)")
        #expect(!result.output.contains("rror"), "\(result.output)")
        let count = try await Program.run(["redis-cli", "-p", through, "GET", "counter:__rand_int__"])
        #expect(count.output == "20000\n", "every increment arrived once")
        #expect(!proxy.hasEnded && !proxy.output.contains("exception"))
      }

      /// nginx over a directory with one page, on an address of its own words.
      private func nginx(_ directory: TemporaryDirectory, listen: String) throws -> Program {
        _ = try directory.write("hello from behind\n", to: "index.html")
        return try Program.nginx(in: directory, server: "listen \(listen) backlog=2048; root \(directory.path);")
      }

      @Test(
        "HTTP: curl gets the page, wrk with 500 connections no socket error",
        .enabled(if: Program.areInstalled("nginx", "wrk", "curl"), "nginx, wrk or curl is not installed"))
      func http() async throws {
        let directory = TemporaryDirectory()
        let port = try freePort()
        let server = try nginx(directory, listen: "127.0.0.1:\(port)")
        defer { server.kill() }
        let direct = "http://127.0.0.1:\(port)/"
        try await Program.wait(for: "nginx: \(server.output)") {
          try await Program.run(["curl", "-sf", direct]).status == 0 ? () : nil
        }
        let proxy = try Program.proxy(.epoll, to: port)
        let url = "http://127.0.0.1:\(try await proxy.port())/"
        #expect(try await Program.run(["curl", "-sS", url]).output == "hello from behind\n")
        let load = try await Program.run(["wrk", "-t1", "-c500", "-d3s", url])
        #expect(load.output.contains("requests in"), "\(load.output)")
        #expect(!load.output.contains("Socket errors"), "\(load.output)")
        #expect(!load.output.contains("Non-2xx"), "\(load.output)")
        #expect(!proxy.hasEnded)
      }

      @Test(
        "Unix sockets: curl through one to nginx behind another; the file goes with the proxy",
        .enabled(if: Program.areInstalled("nginx", "curl"), "nginx or curl is not installed"),
        arguments: LoopKind.allCases)
      func unixSockets(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let (front, behind) = ("\(directory.path)/front.sock", "\(directory.path)/behind.sock")
        let server = try nginx(directory, listen: "unix:\(behind)")
        defer { server.kill() }
        func get(_ path: String) async throws -> Program.Ended {
          try await Program.run(["curl", "-sS", "--unix-socket", path, "http://localhost/"])
        }
        try await Program.wait(for: "nginx: \(server.output)") { try await get(behind).status == 0 ? () : nil }
        let proxy = try Program([
          Program.command, "proxy", "--listen", "unix:\(front)", "--to", "unix:\(behind)", "--loop", kind.commandName,
        ])
        try await proxy.waitForLine("proxy on unix:\(front)")
        for _ in 0..<3 { #expect(try await get(front).output == "hello from behind\n") }
        // A second one is told that the path is in use, and the first one goes on.
        let second = try await Program.run([
          Program.command, "proxy", "--listen", "unix:\(front)", "--to", "unix:\(behind)", "--loop", kind.commandName,
        ])
        #expect(second.status == 1 && second.output.contains("Address already in use"), "\(second.output)")
        #expect(try await get(front).output == "hello from behind\n")
        proxy.signal(SIGTERM)
        #expect(try await proxy.waitToEnd(limit: 10).status == 0)
        #expect(access(front, F_OK) != 0, "the file is gone")
        let refused = try await Program.run([
          Program.command, "proxy", "--listen", "unix:\(directory.path)/index.html", "--to", "unix:\(behind)",
        ])
        #expect(refused.status == 1 && refused.output.contains("remove the file"), "\(refused.output)")
        #expect(access("\(directory.path)/index.html", F_OK) == 0)
      }

      @Test(
        "hazards D1 and D3: 64 MiB to a slow reader arrive in order while the proxy's memory stays small",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"), arguments: LoopKind.allCases)
      func slowReader(kind: LoopKind) async throws {
        let echo = try Program.echo(kind)
        let proxy = try Program.proxy(kind, to: try await echo.port())
        let client = try await Program.python(
          """
          import hashlib, os, socket, sys, threading, time
          s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
          s.connect(("127.0.0.1", int(sys.argv[1]))); s.settimeout(20)
          block = os.urandom(1 << 20); sent = hashlib.sha256()
          def send():
              for i in range(64):
                  data = i.to_bytes(8, "big") + block[8:]
                  sent.update(data); s.sendall(data)
              s.shutdown(socket.SHUT_WR)
          t = threading.Thread(target=send); t.start()
          time.sleep(1)
          got = hashlib.sha256(); count = 0
          while True:
              data = s.recv(65536)
              if not data: break
              got.update(data); count += len(data)
          t.join()
          print(count, got.digest() == sent.digest())
          """, "\(try await proxy.port())", limit: 60)
        #expect(client.output == "\(64 << 20) True\n")
        for program in [echo, proxy] {
          #expect(try #require(program.statusNumber("VmHWM")) < 64 * 1024)
        }
      }

      @Test(
        "SIGTERM: the running transfer completes, new clients are refused, then it ends",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"), arguments: LoopKind.allCases,
        ["1", "2"])
      func drain(kind: LoopKind, loops: String) async throws {
        let echo = try Program.echo(kind)
        let proxy = try Program.proxy(kind, to: try await echo.port(), "--loops", loops)
        let client = try await Program.python(
          """
          import os, signal, socket, sys, time
          port, pid = int(sys.argv[1]), int(sys.argv[2])
          s = socket.create_connection(("127.0.0.1", port)); s.settimeout(10)
          s.sendall(b"before"); assert s.recv(6) == b"before"
          os.kill(pid, signal.SIGTERM)
          refused = False
          for i in range(200):
              try: socket.create_connection(("127.0.0.1", port)).close()
              except ConnectionRefusedError: refused = True; break
              time.sleep(0.01)
          assert refused
          s.sendall(b"after"); assert s.recv(5) == b"after"
          s.shutdown(socket.SHUT_WR); assert s.recv(1) == b""
          print("drained")
          """, "\(try await proxy.port())", "\(proxy.pid)")
        #expect(client.output == "drained\n")
        let ended = try await proxy.waitToEnd(limit: 10)
        #expect(ended.status == 0)
        let lines = ended.output.split(separator: "\n").suffix(2)
        #expect(lines.first == "draining", "\(ended.output)")
        #expect(lines.last?.hasPrefix("drained: 0 connections now, ") == true, "\(ended.output)")
        #expect(lines.last?.hasSuffix(" in all; 11 bytes to the target, 11 to clients") == true, "\(ended.output)")
      }

      @Test(
        "A second signal cuts what still runs",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"), arguments: LoopKind.allCases)
      func cut(kind: LoopKind) async throws {
        let echo = try Program.echo(kind)
        let proxy = try Program.proxy(kind, to: try await echo.port())
        let client = try Program([
          "python3", "-uc",
          """
          import socket, sys
          s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(20)
          s.sendall(b"x"); assert s.recv(1) == b"x"
          print("connected")
          try: print("end" if s.recv(1) == b"" else "bytes")
          except ConnectionResetError: print("end")
          """, "\(try await proxy.port())",
        ])
        try await client.waitForLine("connected")
        proxy.signal(SIGTERM)
        try await proxy.waitForLine("draining")
        #expect(!proxy.hasEnded)
        proxy.signal(SIGTERM)
        #expect(try await proxy.waitToEnd(limit: 10).status == 0)
        #expect(try await client.waitToEnd().output == "connected\nend\n")
      }
    }
  }

  extension String {
    /// How often the text occurs.
    func components(of text: String) -> Int {
      var count = 0
      var rest = self[...]
      while let range = rest.firstRange(of: text) {
        count += 1
        rest = rest[range.upperBound...]
      }
      return count
    }
  }
#endif

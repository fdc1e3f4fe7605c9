#if os(Linux)
  import POSIX
  import Testing

  extension RealPrograms {
    /// The echo server with clients that are not ours.
    @Suite struct EchoProgram {
      @Test(
        "socat gets every byte back after its half-close",
        .enabled(if: Program.areInstalled("socat", "cmp", "head"), "socat is not installed"),
        arguments: LoopKind.allCases, ["streams", "sync", "protocol"])
      func socat(kind: LoopKind, api: String) async throws {
        let echo = try Program.echo(kind, "--api", api)
        let port = try await echo.port()
        let directory = TemporaryDirectory()
        let (sent, got) = ("\(directory.path)/sent", "\(directory.path)/got")
        let script = """
          head -c 8000000 /dev/urandom > \(sent)
          socat -t5 - TCP:127.0.0.1:\(port) < \(sent) > \(got) && cmp \(sent) \(got) && echo same
          """
        let client = try await Program.run(["sh", "-c", script])
        #expect(client.output == "same\n")
        #expect(client.status == 0)
        #expect(!echo.hasEnded)
      }

      @Test(
        "Two loops: 50 clients at once get every byte back",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"),
        arguments: LoopKind.allCases, ["streams", "sync", "protocol"])
      func twoLoops(kind: LoopKind, api: String) async throws {
        let echo = try Program.echo(kind, "--api", api, "--loops", "2")
        let port = try await echo.port()
        let client = try await Program.python(
          """
          import socket, sys
          held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(50)]
          for round in range(20):
              for s in held: s.sendall(b"%08d" % round)
              for s in held: assert s.recv(8, socket.MSG_WAITALL) == b"%08d" % round
          print("same")
          """, "\(port)")
        #expect(client.output == "same\n")
        #expect(!echo.hasEnded)
        echo.signal(SIGINT)
        #expect(try await echo.waitToEnd().status == -SIGINT)
      }

      @Test(
        "hazard B1: out of descriptors: one report a second, no spin, and clients are served when there are some again",
        .enabled(if: Program.areInstalled("bash", "python3"), "bash or python3 is not installed"),
        arguments: LoopKind.allCases)
      func outOfDescriptors(kind: LoopKind) async throws {
        let echo = try Program.echo(kind, before: ["bash", "-c", "ulimit -n 64; exec \"$@\"", "bash"])
        let port = try await echo.port()
        let before = echo.processorSeconds
        let client = try await Program.python(
          """
          import socket, sys, time
          port = int(sys.argv[1])
          held = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
          time.sleep(2.2)
          for s in held[:80]: s.close()
          late = held[80:]
          for s in late:
              s.settimeout(5); s.sendall(b"x"); assert s.recv(1) == b"x"
          print("served")
          """, "\(port)")
        #expect(client.output == "served\n")
        let reports = echo.output.split(separator: "\n").count { $0.contains("out of resources") }
        #expect((1...5).contains(reports), "\(echo.output)")
        #expect(echo.processorSeconds - before < 0.5)
        #expect(!echo.hasEnded)
      }

      @Test(
        "hazard D1: clients that send and never read: an innocent one is served within a second, memory is bounded",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"))
      func neverRead() async throws {
        let echo = try Program.echo(.epoll, before: ["bash", "-c", "ulimit -n $(ulimit -Hn); exec \"$@\"", "bash"])
        let client = try await Program.python(
          """
          import resource, socket, sys, time
          port = int(sys.argv[1])
          hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
          resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
          # The limit of files may not allow ten thousand; ports of one source address do.
          count = min(10000, hard - 200)
          held = []
          payload = b"x" * 16384
          for i in range(count):
              s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
              s.connect(("127.0.0.1", port)); s.setblocking(False); held.append(s)
          for _ in range(3):
              for s in held:
                  try: s.send(payload)
                  except BlockingIOError: pass
          times = []
          for i in range(3):
              start = time.monotonic()
              s = socket.create_connection(("127.0.0.1", port)); s.settimeout(10)
              s.sendall(b"innocent"); assert s.recv(8) == b"innocent"
              times.append(time.monotonic() - start)
          print(count, sorted(times)[1], max(times))
          """, "\(try await echo.port())", limit: 60)
        let fields = client.output.split { $0.isWhitespace }
        let seconds = fields.compactMap { Double($0) }
        try #require(seconds.count == 3, "\(client.output)")
        #expect(seconds[1] < 1, "with \(fields[0]) clients")
        // The first may come while the server is still busy with accepting ten thousand, and has its SYN dropped; a
        // busy machine drops the next ones as well, which come again after one, two, four and eight seconds.
        #expect(seconds[2] < 16, "with \(fields[0]) clients")
        let kibibytes = try #require(echo.statusNumber("VmHWM"))
        #expect(kibibytes < 400_000, "\(kibibytes) KiB for \(fields[0]) clients")
      }
    }
  }
#endif

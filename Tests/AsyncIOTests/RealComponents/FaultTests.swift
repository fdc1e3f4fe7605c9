#if os(Linux)
  import POSIX
  import Testing

  extension RealComponents {
    /// System calls that fail as they do once in a year, put in by strace: no hang, no spin, no crash, and the server
    /// works again afterwards.
    @Suite struct Faults {
      struct Fault: Codable, Sendable, CustomTestStringConvertible {
        var call: String
        var error: String
        /// Which calls fail, in strace's notation.
        var when: String
        var testDescription: String { "\(call) \(error) \(when)" }
      }

      /// Faults that no client notices.
      static let harmless = [
        Fault(call: "accept4", error: "EINTR", when: "1..3"),
        Fault(call: "accept4", error: "ECONNABORTED", when: "1..3"),
        Fault(call: "accept4", error: "EPROTO", when: "1..3"),
        Fault(call: "accept4", error: "EPERM", when: "1..3"),
        Fault(call: "accept4", error: "EMFILE", when: "1"),
        Fault(call: "accept4", error: "ENOMEM", when: "1"),
        Fault(call: "recvfrom", error: "EINTR", when: "1+2"),
        Fault(call: "sendto", error: "EINTR", when: "1+2"),
        Fault(call: "epoll_wait,epoll_pwait2,ppoll,poll", error: "EINTR", when: "3+3"),
      ]

      /// The same for a ring, whose operations are not system calls, and out of strace's reach.
      static let harmlessToRings = [
        Fault(call: "io_uring_enter", error: "EINTR", when: "2+3"),
        Fault(call: "io_uring_enter", error: "EAGAIN", when: "2+3"),
        Fault(call: "io_uring_enter", error: "EBUSY", when: "2+3"),
      ]

      static let unnoticedCases =
        harmless.flatMap { fault in LoopKind.selectors.map { Case(fault: fault, kind: $0) } }
        + (LoopKind.hasProactor ? harmlessToRings : []).map { Case(fault: $0, kind: .proactor) }

      struct Case: Codable, Sendable, CustomTestStringConvertible {
        var fault: Fault
        var kind: LoopKind
        var testDescription: String { "\(kind.rawValue): \(fault.testDescription)" }
      }

      private static let client = """
        import socket, sys
        port = int(sys.argv[1])
        for i in range(5):
            s = socket.create_connection(("127.0.0.1", port)); s.settimeout(5)
            for j in range(4):
                s.sendall(b"%d" % j); assert s.recv(10) == b"%d" % j
            s.close()
        print("right")
        """

      private func traced(_ fault: Fault, _ log: String) -> [String] {
        let calls = "accept4,recvfrom,sendto,connect,epoll_wait,epoll_pwait2,ppoll,poll,io_uring_enter"
        return [
          "strace", "-D", "-f", "-o", log, "-e", "trace=\(calls)", "-e",
          "inject=\(fault.call):error=\(fault.error):when=\(fault.when)",
        ]
      }

      private func count(_ text: String, in log: String) async throws -> (all: Int, matching: Int) {
        let counted = try await Program.run(["sh", "-c", "wc -l < \(log); grep -c '\(text)' \(log)"])
        let numbers = counted.output.split { !$0.isNumber }.compactMap { Int($0) }
        return (numbers[0], numbers[1])
      }

      @Test(
        "Harmless faults: every client gets every byte",
        .enabled("strace is not installed or may not trace here") { await Program.canTrace() },
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"),
        arguments: Faults.unnoticedCases)
      func unnoticed(_ each: Case) async throws {
        let (fault, kind) = (each.fault, each.kind)
        let directory = TemporaryDirectory()
        let log = "\(directory.path)/log"
        let echo = try Program.echo(kind, before: traced(fault, log))
        let client = try await Program.python(Self.client, "\(try await echo.port())")
        #expect(client.output == "right\n")
        #expect(!echo.hasEnded)
        let calls = try await count("INJECTED", in: log)
        #expect(calls.matching > 0, "the fault was put in")
        #expect(calls.all < 1000, "\(calls.all) system calls are a spin")
      }

      /// Faults that cost one client its connection, or one byte its edge; the next client is served.
      static let costly = [
        Fault(call: "recvfrom", error: "ENOMEM", when: "1"),
        Fault(call: "recvfrom", error: "EAGAIN", when: "1"),
        Fault(call: "sendto", error: "ENOMEM", when: "1"),
        Fault(call: "sendto", error: "EAGAIN", when: "1"),
        Fault(call: "accept4", error: "EAGAIN", when: "1"),
      ]

      @Test(
        "Costly faults: the server lives, does not spin, and serves the next ones",
        .enabled("strace is not installed or may not trace here") { await Program.canTrace() },
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"),
        arguments: Faults.costly,
        LoopKind.selectors)
      func survived(fault: Fault, kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let log = "\(directory.path)/log"
        let echo = try Program.echo(kind, before: traced(fault, log))
        let port = try await echo.port()
        // The one that is hit sends a byte and waits for nothing; a second byte is the next edge.
        let victim = try await Program.python(
          """
          import socket, sys, time
          s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(5)
          try:
              s.sendall(b"a"); time.sleep(0.2); s.sendall(b"b")
              if sys.argv[2] == "EAGAIN" and sys.argv[3] != "accept4":
                  got = b""
                  while len(got) < 2: got += s.recv(2)
                  assert got == b"ab"
          except OSError as error: assert sys.argv[2] == "ENOMEM", error
          print("done")
          """, "\(port)", fault.error, fault.call)
        #expect(victim.output == "done\n")
        let client = try await Program.python(Self.client, "\(port)")
        #expect(client.output == "right\n")
        #expect(!echo.hasEnded)
        let calls = try await count("INJECTED", in: log)
        #expect(calls.matching == 1)
        #expect(calls.all < 1000, "\(calls.all) system calls are a spin")
      }

      @Test(
        "An interrupted connect still connects",
        .enabled("strace is not installed or may not trace here") { await Program.canTrace() },
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"),
        arguments: LoopKind.selectors)
      func interruptedConnect(kind: LoopKind) async throws {
        let directory = TemporaryDirectory()
        let log = "\(directory.path)/log"
        let echo = try Program.echo(kind)
        let fault = Fault(call: "connect", error: "EINTR", when: "1+2")
        let proxy = try Program.proxy(kind, to: try await echo.port(), before: traced(fault, log))
        let client = try await Program.python(Self.client, "\(try await proxy.port())")
        #expect(client.output == "right\n")
        #expect(try await count("INJECTED", in: log).matching > 0)
      }

      @Test(
        "A ring that the system answers no more ends the run with an error, without a hang",
        .enabled("strace is not installed or may not trace here") { await Program.canTrace() },
        .enabled(if: LoopKind.hasProactor, "io_uring is not available"), arguments: ["EBADF", "EFAULT", "ENXIO"])
      func deadRing(error: String) async throws {
        let directory = TemporaryDirectory()
        let fault = Fault(call: "io_uring_enter", error: error, when: "12+")
        let demo = try await Program.run(
          traced(fault, "\(directory.path)/log") + [Program.command, "demo", "--seconds", "1", "--loop", "proactor"])
        #expect(demo.status == 1)
      }
    }
  }
#endif

#if os(Linux)
  import POSIX
  import Testing

  extension RealPrograms {
    /// The programs of this package with TLS, and clients that are not ours.
    @Suite(.enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"))
    struct ProgramsWithTLS {
      @Test(
        "echo --tls-cert: Python's ssl gets every byte back, and a goodbye",
        .enabled(if: Program.areInstalled("python3"), "python3 is not installed"),
        arguments: LoopKind.allCases, ["streams", "sync", "protocol"])
      func echo(kind: LoopKind, api: String) async throws {
        let files = TestCertificates.shared
        let echo = try Program.echo(
          kind, "--api", api, "--tls-cert", files.path("chain.pem"), "--tls-key", files.path("below.key"))
        let port = try await echo.port()
        // One thread: OpenSSL allows no other at a connection, and Python 3.11 does not see to it.
        let client = try await Program.python(
          """
          import os, select, socket, ssl, sys
          context = ssl.create_default_context(cafile=sys.argv[2])
          for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
              context.maximum_version = version
              s = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20),
                                      server_hostname="localhost")
              sent, written, got = os.urandom(1 << 20), 0, b""
              s.setblocking(False)
              while len(got) < len(sent):
                  try: written += s.send(sent[written:written + 65536]) if written < len(sent) else 0
                  except (ssl.SSLWantReadError, ssl.SSLWantWriteError): pass
                  try: got += s.recv(65536)
                  except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                      ready = select.select([s], [s] if written < len(sent) else [], [], 20)
                      assert any(ready), "nothing for 20 seconds"
              assert got == sent, "not the same"
              s.settimeout(20)
              s.unwrap().close()
          print("same")
          """, "\(port)", files.path("ca.pem"))
        #expect(client.output == "same\n" && client.status == 0, "status \(client.status): \(client.output)")
        #expect(!echo.hasEnded)
      }

      @Test("hazard L8: a program may end while its threads are in the middle of handshakes")
      func exit() async throws {
        // One of twenty crashed when OpenSSL cleaned up at the exit.
        for _ in 0..<20 {
          let program = try await HelperProgram.runToEnd(
            "exit-during-tls", ["CERTIFICATES": TestCertificates.shared.directory])
          #expect(program.status == 0, "\(program.standardError.suffix(1_000))")
          #expect(program["handshakes"] == "under way", "\(program.facts)")
        }
      }

      @Test("A key without a certificate, and files that are not there, are errors that say so")
      func options() async throws {
        let noCertificate = try await Program.run([Program.command, "echo", "--port", "0", "--tls-key", "key.pem"])
        #expect(noCertificate.status == 64 && noCertificate.output.contains("Add --tls-cert"))
        let noFile = try await Program.run([Program.command, "echo", "--port", "0", "--tls-cert", "/no/such.pem"])
        #expect(noFile.status != 0 && noFile.output.contains("/no/such.pem"))
      }

      @Test("Options of the proxy that do not go together are errors that say what does")
      func proxyOptions() async throws {
        let files = TestCertificates.shared
        let cases: [(options: [String], status: Int32, text: String)] = [
          ([], 64, "Give --to, or --sni"), (["--to", "tls:host"], 64, "Give tls:host:port"),
          (["--to", "tls:unix:/path"], 64, "Give tls:host:port"),
          (["--to", "h:1", "--tls-key", "k"], 64, "Add --tls-cert"),
          (["--to", "h:1", "--tls-ca", "a"], 64, "Give --to tls:host:port"),
          (["--to", "tls:h:1", "--tls-ca", "a", "--tls-no-verify"], 64, "Leave one of them out"),
          (["--to", "tls:h:1", "--sni", "a=h:1"], 64, "End their TLS with --tls-cert"),
          (["--sni", "a=h:1", "--tls-cert", "c"], 64, "Add --to"), (["--sni", "a=h"], 64, "invalid for '--sni"),
          (["--sni", "a=tls:h:1"], 64, "Give the target without tls:"), (["--sni", "*=h:1"], 64, "Give the name"),
          (["--sni", "a..b=h:1"], 64, "Give the name"),
          (["--sni", "a.b=h:1", "--sni", "A.B=h:2"], 64, "Give each name once"),
          (
            ["--to", "h:1", "--tls-cert", "a", "--tls-cert", "b", "--tls-key", "a"], 64,
            "there are 2 certificates and 1 keys"
          ), (["--to", "tls:h:1", "--tls-ca", "/no/such.pem"], 1, "/no/such.pem"),
          (["--to", "h:1"] + Program.certificates("ecdsa", "rsa"), 1, "would never be chosen"),
          (
            ["--to", "h:1", "--tls-cert", files.path("ecdsa.pem"), "--tls-key", files.path("rsa.key")], 1,
            "does not belong to the certificate"
          ),
        ]
        for (options, status, text) in cases {
          let ended = try await Program.run([Program.command, "proxy", "--listen", "0"] + options)
          #expect(ended.status == status && ended.output.contains(text), "\(options): \(ended.output)")
        }
      }
    }
  }
#endif

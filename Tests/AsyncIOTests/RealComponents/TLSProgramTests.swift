#if os(Linux)
  import Glibc
  import Testing

  extension RealComponents {
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
        let client = try await Program.python(
          """
          import os, socket, ssl, sys, threading
          context = ssl.create_default_context(cafile=sys.argv[2])
          for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
              context.maximum_version = version
              s = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20),
                                      server_hostname="localhost")
              sent, got = os.urandom(1 << 20), b""
              writing = threading.Thread(target=s.sendall, args=(sent,))
              writing.start()
              while len(got) < len(sent): got += s.recv(65536)
              writing.join()
              assert got == sent, "not the same"
              s.unwrap().close()
          print("same")
          """, "\(port)", files.path("ca.pem"))
        #expect(client.output == "same\n")
        #expect(!echo.hasEnded)
      }

      @Test("A key without a certificate, and files that are not there, are errors that say so")
      func options() async throws {
        let noCertificate = try await Program.run([Program.command, "echo", "--port", "0", "--tls-key", "key.pem"])
        #expect(noCertificate.status == 64 && noCertificate.output.contains("Add --tls-cert"))
        let noFile = try await Program.run([Program.command, "echo", "--port", "0", "--tls-cert", "/no/such.pem"])
        #expect(noFile.status != 0 && noFile.output.contains("/no/such.pem"))
      }
    }
  }
#endif

#if os(Linux)
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension Program {
    /// Start a proxy on a port that the system chooses.
    static func proxy(_ kind: LoopKind, with options: [String]) throws -> Program {
      try Program([command, "proxy", "--listen", "0", "--loop", kind.commandName] + options)
    }

    /// The options for certificates of the tests, in their order.
    static func certificates(_ names: String...) -> [String] {
      let files = TestCertificates.shared
      return names.flatMap { ["--tls-cert", files.path("\($0).pem")] }
        + names.flatMap { ["--tls-key", files.path("\($0 == "chain" ? "below" : $0).key")] }
    }

    /// Start the program openssl as a server that sends each line back in reverse.
    static func reverser(_ name: String) async throws -> (program: Program, port: UInt16) {
      let files = TestCertificates.shared
      let server = try Program([
        "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", files.path("\(name).pem"), "-key",
        files.path("\(name).key"), "-rev",
      ])
      let line = try await server.waitForLine("ACCEPT ")
      return (server, try #require(line.split(separator: ":").last.flatMap { UInt16($0) }))
    }

    /// What `openssl s_client` sees on a port: the subject of the certificate, or the line with the reason.
    static func subject(on port: UInt16, name: String?) async throws -> String {
      let ended = try await run(
        ["openssl", "s_client", "-connect", "127.0.0.1:\(port)"]
          + (name.map { ["-servername", $0] } ?? ["-noservername"])
      )
      let lines = ended.output.split(separator: "\n")
      let subject = lines.first { $0.hasPrefix("subject=CN = ") }?.dropFirst("subject=CN = ".count)
      return (subject ?? lines.first { $0.contains("error:") }).map(String.init) ?? ended.output
    }

    /// The figures that a proxy tells.
    func figures() async throws -> String {
      let before = output.components(of: "target: ")
      signal(SIGUSR1)
      return try await Self.wait(for: "figures: \(output)") {
        let text = output
        guard text.hasSuffix("\n"), text.components(of: "target: ") > before else { return nil }
        return text.split(separator: "\n").suffix(2).joined(separator: "; ")
      }
    }

    /// Wait until the figures of a proxy say something.
    func waitForFigures(_ text: String) async throws {
      _ = try await Self.wait(for: "\(text) in \(output)") { try await figures().contains(text) ? true : nil }
    }
  }

  extension StreamConnection {
    /// Send a text, and return as many bytes of what comes back.
    func exchange(_ text: String) async throws -> String {
      try await write(text)
      return try await withTimeout(.seconds(10)) {
        String(decoding: try await readExactly(text.utf8.count), as: UTF8.self)
      }
    }

    /// What the peer sends before it ends the connection, resets it, or cuts its protection, within 10 seconds.
    func readUntilCut() async throws -> [UInt8] {
      try await withTimeout(.seconds(10)) {
        var received: [UInt8] = []
        do {
          while case let bytes = try await read(upTo: 1_000), !bytes.isEmpty { received += bytes }
        } catch is CancellationError {
          throw CancellationError()
        } catch {}
        return received
      }
    }

    /// The same of a server that may turn a client away before it knows that it is connected: then the connect fails.
    static func readUntilCut(port: UInt16) async throws -> [UInt8] {
      let connection: StreamConnection
      do {
        connection = try await connect(host: "127.0.0.1", port: port)
      } catch let error as IOError where error.errno == .connectionReset {
        return []
      }
      defer { connection.close() }
      return try await connection.readUntilCut()
    }
  }
#endif

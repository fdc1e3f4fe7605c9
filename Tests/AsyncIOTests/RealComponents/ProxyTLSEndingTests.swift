#if os(Linux)
  import POSIX
  import Testing

  @testable import AsyncIO

  extension RealPrograms {
    /// How connections through a proxy with TLS end: ends as ends, losses as losses, and the limits.
    @Suite(.enabled(if: TestCertificates.isAvailable, "the program openssl is not installed")) struct ProxyTLSEndings {
      private static var trusting: [String] { ["--tls-ca", TestCertificates.shared.path("ca.pem")] }

      private static func client(_ port: UInt16, _ context: TLSContext?) async throws -> StreamConnection {
        guard let context else { return try await .connect(host: "127.0.0.1", port: port) }
        return try await .connect(host: "127.0.0.1", port: port, tls: context, serverHostname: "localhost")
      }

      /// Run the body with a proxy whose target is a listener here. One of the two sides is protected.
      private static func withProxy(
        _ kind: LoopKind, ends: Bool, _ options: String...,
        body:
          @escaping @Sendable (_ proxy: Program, _ target: StreamListener, _ client: StreamConnection) async throws ->
          Void
      ) async throws {
        try await kind.run { _ in
          let target =
            ends
            ? try await StreamListener.bind(host: "127.0.0.1", port: 0)
            : try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: TLSContext(TLSSessionTests.server()))
          defer { target.close() }
          let own =
            ends
            ? ["--to", "127.0.0.1:\(target.port)"] + Program.certificates("ecdsa")
            : ["--to", "tls:127.0.0.1:\(target.port)"] + trusting
          let proxy = try Program.proxy(kind, with: own + options)
          let client = try await client(
            try await proxy.port(), ends ? TLSContext(TLSSessionTests.client()) : nil)
          defer { client.close() }
          try await body(proxy, target, client)
          #expect(!proxy.output.contains("exception"), "\(proxy.output)")
        }
      }

      @Test(
        "The end of one direction is passed on as one, with everything before it", arguments: LoopKind.allCases,
        [true, false])
      func halfClose(kind: LoopKind, ends: Bool) async throws {
        try await Self.withProxy(kind, ends: ends) { proxy, target, client in
          let bytes = numbered(0..<300_000)
          let server = try loopTask {
            let connection = try await target.accept()
            defer { connection.close() }
            let question = try await connection.readToEnd()
            try await connection.write("got \(question.count)")
            return question
          }
          try await client.write(bytes)
          try client.writeEOF()
          let answer = try await withTimeout(.seconds(10)) { try await client.readToEnd() }
          #expect(answer == [UInt8]("got 300000".utf8))
          #expect(try await server.value == bytes)
          #expect(try await proxy.figures().contains("0 connections lost"))
        }
      }

      @Test(
        "hazard L1: an end without a goodbye is a loss, on both sides of the proxy", arguments: LoopKind.allCases,
        [true, false])
      func truncation(kind: LoopKind, ends: Bool) async throws {
        try await Self.withProxy(kind, ends: ends) { proxy, target, client in
          async let accepted = target.accept()
          try await client.write("half of it")
          let server = try await accepted
          defer { server.close() }
          #expect(try await server.readExactly(10) == [UInt8]("half of it".utf8))
          let (protected, plain) = ends ? (client, server) : (server, client)
          try protected.core.backend.endWriting(protected.descriptor)
          await #expect(throws: IOError.self) {
            try await withTimeout(.seconds(10)) { _ = try await plain.read(upTo: 1) }
          }
          try await proxy.waitForFigures("1 connections lost")
        }
      }

      @Test("A reset of the target is a loss to the client, not an end", arguments: LoopKind.allCases, [true, false])
      func reset(kind: LoopKind, ends: Bool) async throws {
        try await Self.withProxy(kind, ends: ends) { proxy, target, client in
          async let accepted = target.accept()
          try await client.write("x")
          let server = try await accepted
          #expect(try await server.readExactly(1) == [120])
          server.abort()
          let end = await #expect(throws: (any Error).self) {
            try await withTimeout(.seconds(10)) { _ = try await client.read(upTo: 1) }
          }
          #expect(!(end is TimeoutError))
          try await proxy.waitForFigures("1 connections lost")
        }
      }

      // MARK: Limits

      @Test("A client that does not finish its hello is ended, and its place is free", arguments: LoopKind.allCases)
      func silentClients(kind: LoopKind) async throws {
        let options = ["--handshake-timeout", "1", "--max-connections", "2"] + Program.certificates("ecdsa")
        let echo = try Program.echo(kind)
        defer { echo.kill() }
        let proxy = try Program.proxy(kind, with: ["--to", "127.0.0.1:\(try await echo.port())"] + options)
        let port = try await proxy.port()
        try await kind.run { _ in
          // Nothing, and the beginning of a record.
          let silent = [try await Self.client(port, nil), try await Self.client(port, nil)]
          defer { for client in silent { client.close() } }
          try await silent[1].write([22, 3, 1, 2, 0, 1] as [UInt8])
          // This one waits for a place.
          async let served = Self.client(port, TLSContext(TLSSessionTests.client()))
          for client in silent {
            #expect(try await client.readUntilCut().count < 20, "at most an alert")
          }
          let client = try await served
          defer { client.close() }
          #expect(try await client.exchange("word") == "word")
        }
        try await proxy.waitForFigures("2 refused at TLS")
        #expect(!proxy.output.contains("exception"), "\(proxy.output)")
      }

      @Test("The idle limit cuts a protected client that is silent", arguments: LoopKind.allCases, [true, false])
      func idle(kind: LoopKind, ends: Bool) async throws {
        try await Self.withProxy(kind, ends: ends, "--idle-timeout", "0.6") { proxy, target, client in
          async let accepted = target.accept()
          try await client.write("x")
          let server = try await accepted
          defer { server.close() }
          #expect(try await server.readExactly(1) == [120])
          #expect(try await client.readUntilCut() == [])
          try await proxy.waitForFigures("1 cut as idle")
        }
      }

      @Test("SIGTERM: protected connections that run may end, then the proxy ends", arguments: LoopKind.allCases)
      func drain(kind: LoopKind) async throws {
        try await Self.withProxy(kind, ends: true) { proxy, target, client in
          async let accepted = target.accept()
          try await client.write("before")
          let server = try await accepted
          defer { server.close() }
          #expect(try await server.readExactly(6) == [UInt8]("before".utf8))
          proxy.signal(SIGTERM)
          try await proxy.waitForLine("draining")
          try await server.write("after")
          #expect(try await client.readExactly(5) == [UInt8]("after".utf8))
          server.close()
          #expect(try await client.readToEnd() == [])
          client.close()
          let ended = try await proxy.waitToEnd(limit: 10)
          #expect(ended.status == 0 && ended.output.contains("drained: 0 connections now, 1 in all"), "\(ended.output)")
        }
      }
    }
  }
#endif

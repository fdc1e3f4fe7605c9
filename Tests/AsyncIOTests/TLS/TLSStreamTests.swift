import Glibc
import Testing

@testable import AsyncIO

/// Streams that TLS protects, on every loop.
@Suite(
  "TLS streams", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSStreamTests {
  /// Let a client and a server on a new loop go through the handshake, and run the body with both.
  private static func withPair(
    _ kind: LoopKind, version: TLSVersion = .tls13,
    _ body: @escaping @Sendable (_ client: StreamConnection, _ server: StreamConnection) async throws -> Void
  ) async throws {
    var settings = TLSSessionTests.client()
    settings.maximumVersion = version
    let contexts = (try TLSContext(settings), try TLSContext(TLSSessionTests.server()))
    try await kind.withPair { client, server in
      async let accepted: Void = server.startTLS(contexts.1)
      try await client.startTLS(contexts.0, serverHostname: "localhost")
      try await accepted
      try await body(client, server)
    }
  }

  @Test("Bytes arrive as they were written", arguments: LoopKind.allCases, [TLSVersion.tls12, .tls13])
  func talks(_ kind: LoopKind, _ version: TLSVersion) async throws {
    try await Self.withPair(kind, version: version) { client, server in
      try await client.write("question\n")
      #expect(try await server.readLine() == "question")
      try await server.write("answer\n")
      #expect(try await client.readLine() == "answer")
      #expect(client.tlsInformation?.version == "\(version)")
    }
  }

  @Test("Far more than the system holds goes through, both ways at once", arguments: LoopKind.allCases)
  func bulk(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      let count = 8 << 20
      let sent = numbered(0..<count)
      async let up: Void = client.write(sent)
      async let down: Void = server.write(sent)
      async let first = server.readExactly(count)
      async let second = client.readExactly(count)
      try await up
      try await down
      #expect(try await first == sent)
      #expect(try await second == sent)
    }
  }

  @Test("Chunks are lent, by the closure that waits and by the one that does not", arguments: LoopKind.allCases)
  func chunks(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      let count = 3 << 20
      let echo = try loopTask { try await server.forEachChunk { try await server.write($0) } }
      async let written: Void = client.write(numbered(0..<count))
      #expect(try await client.readExactly(count) == numbered(0..<count))
      try await written
      try client.writeEOF()
      try await echo.value
      server.close()
      #expect(try await client.readToEnd() == [])
    }
    try await Self.withPair(kind) { client, server in
      let count = 3 << 20
      let echo = try loopTask { try await server.serveChunks { $1.write($0) } }
      async let written: Void = client.write(numbered(0..<count))
      #expect(try await client.readExactly(count) == numbered(0..<count))
      try await written
      try client.writeEOF()
      try await echo.value
    }
  }

  @Test("Small reads of large records lose nothing", arguments: LoopKind.allCases)
  func smallReads(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      async let written: Void = client.write(numbered(0..<100_000))
      var got: [UInt8] = []
      while got.count < 100_000 { got += try await server.read(upTo: 7_777) }
      try await written
      #expect(got == numbered(0..<100_000))
    }
  }

  @Test("A close is an end for the peer, and what was written before arrives", arguments: LoopKind.allCases)
  func close(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      // What the server sends by itself after a handshake comes before this, so nothing is unread at the close.
      try await server.write("ready\n")
      #expect(try await client.readLine() == "ready")
      try await client.write(numbered(0..<100_000))
      client.close()
      #expect(try await server.readToEnd() == numbered(0..<100_000))
    }
  }

  @Test("An end in one direction leaves the other open", arguments: LoopKind.allCases)
  func halfClose(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      try await client.write("last")
      try client.writeEOF()
      #expect(try await server.readToEnd() == Array("last".utf8))
      try await server.write("answer")
      server.close()
      #expect(try await client.readToEnd() == Array("answer".utf8))
    }
  }

  @Test("A connection that is cut is an error and no end", arguments: LoopKind.allCases)
  func truncation(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      try await client.write("half")
      _ = shutdown(client.descriptor.fileDescriptor, Int32(SHUT_WR))
      let error = try await failure(TLSError.self) { _ = try await server.readToEnd() }
      #expect(error.code == .truncated)
    }
  }

  @Test("A read that is cancelled loses no byte", arguments: LoopKind.allCases)
  func cancelledRead(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      for round in 0..<50 {
        let read = try loopTask { try await server.read(upTo: 100) }
        try await sleep(for: .microseconds(round * 10))
        read.cancel()
        try await client.write([UInt8(round)])
        var got = (try? await read.value) ?? []
        if got.isEmpty { got = try await server.read(upTo: 100) }
        #expect(got == [UInt8(round)])
      }
    }
  }

  @Test("A write that is cancelled leaves whole records", arguments: LoopKind.allCases)
  func cancelledWrite(_ kind: LoopKind) async throws {
    try await Self.withPair(kind) { client, server in
      let write = try loopTask { try await client.write([UInt8](repeating: 1, count: 64 << 20)) }
      // Until the system takes no more.
      try await sleep(for: .milliseconds(20))
      write.cancel()
      await #expect(throws: CancellationError.self) { try await write.value }
      async let more: Void = client.write([2, 2, 2])
      var last: [UInt8] = []
      while last.last != 2 { last = try await server.read(upTo: 1 << 20) }
      #expect(last.suffix(3) == [2, 2, 2])
      try await more
    }
  }

  @Test("A handshake that fails names the reason on both sides", arguments: LoopKind.allCases)
  func refused(_ kind: LoopKind) async throws {
    let contexts = (try TLSContext(TLSSessionTests.client()), try TLSContext(TLSSessionTests.server("unknown")))
    try await kind.withPair { client, server in
      let accepted = try loopTask { try await server.startTLS(contexts.1) }
      let error = try await failure(TLSError.self) {
        try await client.startTLS(contexts.0, serverHostname: "localhost")
      }
      #expect(error.code == .unknownAuthority)
      let answer = try await failure(TLSError.self) { try await accepted.value }
      #expect(answer.code == .peerAlert)
      #expect(client.isClosed && server.isClosed)
    }
  }

  @Test("A handshake that nobody answers can be cancelled", arguments: LoopKind.allCases)
  func cancelledHandshake(_ kind: LoopKind) async throws {
    let context = try TLSContext(TLSSessionTests.client())
    try await kind.withPair { client, _ in
      let handshake = try loopTask { try await client.startTLS(context, serverHostname: "localhost") }
      try await turnUntil { client.descriptor.layer != nil }
      handshake.cancel()
      await #expect(throws: CancellationError.self) { try await handshake.value }
      #expect(client.isClosed)
    }
  }

  @Test("What came with the request to begin counts for the handshake", arguments: LoopKind.allCases)
  func upgrade(_ kind: LoopKind) async throws {
    let contexts = (try TLSContext(TLSSessionTests.client()), try TLSContext(TLSSessionTests.server()))
    try await kind.withPair { client, server in
      try await client.write("STARTTLS\n")
      let begin = try loopTask { try await client.startTLS(contexts.0, serverHostname: "localhost") }
      // The client's first message has come with the line.
      try await turnUntil { client.descriptor.layer != nil }
      try await sleep(for: .milliseconds(5))
      #expect(try await server.readLine() == "STARTTLS")
      try await server.startTLS(contexts.1)
      try await begin.value
      try await client.write("protected\n")
      #expect(try await server.readLine() == "protected")
    }
  }

  @Test("A close in the middle of a handshake ends it", arguments: LoopKind.allCases)
  func closedHandshake(_ kind: LoopKind) async throws {
    let context = try TLSContext(TLSSessionTests.server())
    try await kind.withPair { client, server in
      let handshake = try loopTask { try await server.startTLS(context) }
      try await turnUntil { server.descriptor.layer != nil }
      client.close()
      let error = try await failure(TLSError.self) { try await handshake.value }
      #expect(error.code == .truncated)
    }
  }
}

import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Protected connections on every loop: what both ends see.
@Suite(
  "TLS streams", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSStreamTests {
  @Test("Bytes arrive whole and in order, both ways at once", arguments: LoopKind.allCases, [TLSVersion.tls12, .tls13])
  func bothWays(kind: LoopKind, version: TLSVersion) async throws {
    try await kind.withProtectedPair(version: version) { near, far in
      let bytes = numbered(0..<3_000_000)
      async let sent: Void = near.write(bytes)
      async let answered: Void = far.write(bytes)
      async let received = near.readExactly(bytes.count)
      #expect(try await far.readExactly(bytes.count) == bytes)
      #expect(try await received == bytes)
      _ = try await (sent, answered)
      #expect(near.tlsInformation?.version == "\(version)")
      #expect(far.tlsInformation?.serverName == "localhost")
    }
  }

  @Test("Every form of reading and writing", arguments: LoopKind.allCases)
  func forms(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      let serving = try loopTask { try await far.serveChunks { bytes, writer in writer.write(bytes) } }
      try await near.write("one\r\ntwo\nrest")
      #expect(try await near.readLine() == "one")
      #expect(try await near.readUntil([10]) == [UInt8]("two\n".utf8))
      #expect(try await near.readExactly(4) == [UInt8]("rest".utf8))
      try await near.write(numbered(0..<1_000))
      var got: [UInt8] = []
      while got.count < 1_000 {
        got += try await near.withNextChunk { chunk in chunk.withUnsafeBytes { Array($0) } } ?? []
      }
      #expect(got == numbered(0..<1_000))
      try near.writeEOF()
      try await serving.value
      far.close()
      #expect(try await near.readToEnd() == [])
    }
  }

  @Test("A chunk is lent, and large ones come in few", arguments: LoopKind.allCases)
  func chunks(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      let bytes = numbered(0..<2_000_000)
      let writing = try loopTask {
        try await near.write(bytes)
        near.close()
      }
      var got: [UInt8] = []
      try await far.forEachChunk { chunk in chunk.withUnsafeBytes { got.append(contentsOf: $0) } }
      #expect(got == bytes)
      try await writing.value
    }
  }

  @Test("hazard L6: records that came together are read one byte at a time", arguments: LoopKind.allCases)
  func bytewise(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      // All there before the first read, so no event follows.
      for record in ["one", "two", "three"] { try await near.write(record) }
      try await turnUntil { near.sendProgress.undelivered == 0 }
      var got: [UInt8] = []
      for _ in 0..<11 { got += try await far.read(upTo: 1) }
      #expect(got == [UInt8]("onetwothree".utf8))
    }
  }

  @Test("hazard L3: the end of one direction leaves the other", arguments: LoopKind.allCases)
  func halfClose(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      try await near.write("question")
      try near.writeEOF()
      #expect(try await far.readToEnd() == [UInt8]("question".utf8))
      try await far.write("answer")
      far.close()
      #expect(try await near.readToEnd() == [UInt8]("answer".utf8))
      let error = try await failure(IOError.self) { try await near.write("late") }
      #expect(error.errno == .brokenPipe)
    }
  }

  @Test("Cancelled reads and writes lose nothing", arguments: LoopKind.allCases)
  func cancelling(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      for round in 0..<50 {
        let reading = try loopTask { try await far.readExactly(100) }
        for _ in 0..<round % 5 { try await sleep(for: .zero) }
        reading.cancel()
        _ = try? await reading.value
        try await near.write(numbered(round * 100..<(round + 1) * 100))
        #expect(try await far.readExactly(100) == numbered(round * 100..<(round + 1) * 100))
      }
      // A write that is cancelled leaves whole records behind: what follows is understood.
      let writing = try loopTask { try await near.write([UInt8](repeating: 1, count: 64_000_000)) }
      try await turnUntil { near.link.writer != nil }
      writing.cancel()
      await #expect(throws: CancellationError.self) { try await writing.value }
      let after = try loopTask { try await near.write([2, 3]) }
      var last: [UInt8] = []
      while last.last != 3 { last = try await far.read(upTo: 65_536) }
      #expect(last.suffix(2) == [2, 3])
      try await after.value
    }
  }

  @Test("A file goes through the records", arguments: LoopKind.allCases)
  func file(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      let path = FilePath(TestCertificates.shared.path("chain.pem"))
      let file = try FileDescriptor.open(path, .readOnly)
      defer { try? file.close() }
      let sending = try loopTask {
        let sent = try await near.sendFile(file)
        near.close()
        return sent
      }
      let got = try await far.readToEnd()
      #expect(try await sending.value == got.count)
      #expect(String(decoding: got, as: UTF8.self).hasPrefix("-----BEGIN CERTIFICATE-----"))
      let error = try await failure(EventLoopError.self) { _ = try await far.move(to: far.loop) }
      #expect(error.code == .notOffered)
    }
  }

  @Test("hazard L5: many handshakes at once leave turns to others", arguments: LoopKind.allCases)
  func manyHandshakes(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (client, server) = try (TLSContext(TLSSessionTests.client()), TLSContext(TLSSessionTests.server("rsa")))
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      var pairs: [StreamPair] = []
      for _ in 0..<40 { pairs.append(try await StreamPair.make(on: listener)) }
      let before = loop.turns
      let both = try pairs.map { pair in
        (
          try loopTask { try await pair.near.startTLS(client, serverHostname: "localhost") },
          try loopTask { try await pair.far.startTLS(server) }
        )
      }
      for (a, b) in both {
        try await a.value
        try await b.value
      }
      // At least three steps for each handshake, and four in a turn.
      #expect(loop.turns - before >= 40 * 3 / 4)
      for pair in pairs { pair.close() }
    }
  }
}

extension StreamConnection {
  /// The layer of a protected connection.
  var link: TLSLink { descriptor.layer as! TLSLink }
}

extension LoopKind {
  /// Run the body with the two ends of a protected connection.
  func withProtectedPair<R: Sendable>(
    version: TLSVersion = .tls13,
    _ body: @escaping @Sendable (_ near: StreamConnection, _ far: StreamConnection) async throws -> R
  ) async throws -> R {
    try await run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      var client = TLSSessionTests.client()
      client.maximumVersion = version
      try await pair.protect(client: client)
      return try await body(pair.near, pair.far)
    }
  }
}

import SystemPackage
import Testing

@testable import AsyncIO

/// Reading in all its forms: lines 65 to 69 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct ReadingTests {
  @Test("65: bytes that are there are read without a wait", arguments: LoopKind.allCases)
  func withoutWait(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write(numbered(0..<4096))
      // The first read may have to wait for the report; what it leaves is then there.
      #expect(try await near.readExactly(10) == numbered(0..<10))
      let turns = near.core.turns
      #expect(try await near.readExactly(100) == numbered(10..<110))
      #expect(near.core.turns == turns)
    }
  }

  @Test("Reading into a mutable span fills what is there, and 0 is the end", arguments: LoopKind.allCases)
  func mutableSpan(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("hello")
      var bytes = [UInt8](repeating: 0xEE, count: 8)
      #expect(try await read(near, into: &bytes) == 5)
      #expect(bytes == Array("hello".utf8) + [0xEE, 0xEE, 0xEE])
      try far.writeEOF()
      #expect(try await read(near, into: &bytes) == 0)
      #expect(try await read(near, into: &bytes) == 0, "the end stays the end")
    }
  }

  private func read(_ connection: StreamConnection, into bytes: inout [UInt8]) async throws -> Int {
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    return try await connection.read(into: &raw)
  }

  @Test("Reading into an output span appends", arguments: LoopKind.allCases)
  func outputSpan(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("abc")
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 1)
      defer { memory.deallocate() }
      #expect(try await append(near, to: memory, after: 2) == 3)
      #expect(Array(memory[0..<5]) == [1, 1] + Array("abc".utf8))
      #expect(try await append(near, to: memory, after: 8) == 0, "no room, no read")
    }
  }

  private func append(
    _ connection: StreamConnection, to memory: UnsafeMutableRawBufferPointer, after count: Int
  ) async throws -> Int {
    var span = OutputRawSpan(buffer: memory, initializedCount: 0)
    for _ in 0..<count { span.append(1) }
    let n = try await connection.read(into: &span)
    #expect(span.byteCount == count + n)
    _ = span.finalize(for: memory)
    return n
  }

  @Test("read(upTo:) gives at most that many bytes and keeps the rest", arguments: LoopKind.allCases)
  func upTo(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("abcdef")
      #expect(try await near.read(upTo: 0) == [])
      #expect(try await near.read(upTo: 2) == Array("ab".utf8))
      #expect(try await near.readExactly(1) == Array("c".utf8))
      #expect(try await near.read(upTo: 100) == Array("def".utf8))
      far.close()
      #expect(try await near.read(upTo: 100) == [])
    }
  }

  @Test("readExactly waits for all of it, and tells what came before an early end", arguments: LoopKind.allCases)
  func exactly(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      async let both = near.readExactly(6)
      try await far.write("abc")
      try await turnUntil { near.leftover.count == 3 }
      try await far.write("defg")
      #expect(try await both == Array("abcdef".utf8))
      far.close()
      let error = try await failure(IncompleteReadError.self) { _ = try await near.readExactly(4) }
      #expect(error.partial == Array("g".utf8))
      #expect(error.expected == 4)
      #expect(error.description == "the stream ended after 1 bytes, before 4 bytes")
    }
  }

  @Test("forEachChunk lends every byte once, in order", arguments: LoopKind.allCases)
  func lentChunks(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let total = 3_000_000
      async let sent: Void = send(numbered(0..<total), over: far)
      var got: [UInt8] = []
      try await near.forEachChunk { bytes in
        if got.count.isMultiple(of: 3) { await Task.yield() }
        bytes.withUnsafeBytes { got += $0 }
      }
      try await sent
      #expect(got == numbered(0..<total))
    }
  }

  private func send(_ bytes: [UInt8], over connection: StreamConnection) async throws {
    try await connection.write(bytes)
    try connection.writeEOF()
  }

  @Test("serveChunks echoes every byte, even to a slow peer", arguments: LoopKind.allCases)
  func synchronousChunks(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let total = 3_000_000
      async let echo: Void = near.serveChunks { bytes, output in output.write(bytes) }
      async let sent: Void = send(numbered(0..<total), over: far)
      var got: [UInt8] = []
      while got.count < total {
        try await sleep(for: .microseconds(100))
        got += try await far.read(upTo: 64 * 1024)
      }
      try await sent
      try await echo
      #expect(got == numbered(0..<total))
    }
  }

  @Test("forEachChunk and serveChunks deliver first what earlier reads left", arguments: LoopKind.allCases)
  func leftovers(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("line\nrest")
      #expect(try await near.readLine() == "line")
      #expect(try await near.withNextChunk { $0.byteCount } == 4)
      try await far.write("line\nrest")
      #expect(try await near.readLine() == "line")
      try far.writeEOF()
      var counts: [Int] = []
      try await near.forEachChunk { counts.append($0.byteCount) }
      #expect(counts == [4])

      try await near.write("line\nrest")
      #expect(try await far.readLine() == "line")
      try near.writeEOF()
      var rest = 0
      try await far.serveChunks { bytes, _ in rest += bytes.byteCount }
      #expect(rest == 4)
    }
  }

  @Test("withNextChunk gives one chunk, and nil at the end", arguments: LoopKind.allCases)
  func nextChunk(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("abc")
      let text = try await near.withNextChunk { bytes in
        bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
      }
      #expect(text == "abc")
      far.close()
      #expect(try await near.withNextChunk { _ in true } == nil)
    }
  }

  @Test("An error of a body ends the loop over chunks, and the connection stays usable", arguments: LoopKind.allCases)
  func bodyThrows(kind: LoopKind) async throws {
    struct Stop: Error {}
    try await kind.withPair { near, far in
      try await far.write("x")
      await #expect(throws: Stop.self) { try await near.forEachChunk { _ in throw Stop() } }
      try await far.write("y")
      await #expect(throws: Stop.self) { try await near.serveChunks { _, _ in throw Stop() } }
      try await far.write("z")
      #expect(try await near.readExactly(1) == Array("z".utf8))
      try await near.write("!")
      #expect(try await far.readExactly(1) == Array("!".utf8))
    }
  }
}

import Testing

@testable import AsyncIO

/// Reading by separators, by lines, and to the end.
@Suite(.timeLimit(.minutes(5)))
struct DelimitedReadingTests {
  @Test("A separator is found wherever the chunks are cut", arguments: LoopKind.allCases)
  func acrossChunks(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let message = Array("first\r\n\r\nsecond\r\n\r\n".utf8)
      for cut in 1..<message.count {
        async let first = near.readUntil(Array("\r\n\r\n".utf8))
        try await far.write(Array(message[..<cut]))
        try await turnUntil { near.leftover.count == cut || cut >= 9 }
        try await far.write(Array(message[cut...]))
        #expect(try await first == Array("first\r\n\r\n".utf8), "cut at \(cut)")
        #expect(try await near.readUntil(Array("\r\n\r\n".utf8)) == Array("second\r\n\r\n".utf8), "cut at \(cut)")
      }
    }
  }

  @Test("A separator that begins inside a false start is found", arguments: LoopKind.allCases)
  func falseStarts(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("aaaab")
      #expect(try await near.readUntil(Array("aab".utf8)) == Array("aaaab".utf8))
    }
  }

  @Test("Past the limit: LimitOverrunError, and the bytes are still there", arguments: LoopKind.allCases)
  func overrun(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("0123456789\n")
      let error = try await failure(LimitOverrunError.self) { _ = try await near.readUntil([10], limit: 9) }
      #expect(error.limit == 9)
      #expect(error.description.contains("still there"))
      #expect(try await near.readUntil([10], limit: 10) == Array("0123456789\n".utf8), "the limit itself is allowed")

      try await far.write("no end in sight")
      _ = try await failure(LimitOverrunError.self) { _ = try await near.readLine(limit: 8) }
      #expect(try await near.readExactly(15) == Array("no end in sight".utf8))
    }
  }

  @Test("The end before the separator: IncompleteReadError with what came", arguments: LoopKind.allCases)
  func endBeforeSeparator(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("half")
      far.close()
      let error = try await failure(IncompleteReadError.self) { _ = try await near.readUntil([10]) }
      #expect(error.partial == Array("half".utf8))
      #expect(error.expected == nil)
      #expect(try await near.readToEnd() == [], "what the error carries is taken")
    }
  }

  @Test("Lines end with \\n or \\r\\n, the last one may have no end", arguments: LoopKind.allCases)
  func lines(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("one\ntwo\r\n\n\r\nthree\rmore\nlast")
      far.close()
      var lines: [String] = []
      for try await line in near.lines { lines.append(line) }
      #expect(lines == ["one", "two", "", "", "three\rmore", "last"])
      #expect(try await near.readLine() == nil)
    }
  }

  @Test(
    "A \\r that no \\n follows is data", arguments: LoopKind.allCases,
    [("abc\r", ["abc\r"]), ("\r", ["\r"]), ("a\n\r\r\n\r", ["a", "\r", "\r"])])
  func lastReturn(kind: LoopKind, example: (text: String, lines: [String])) async throws {
    try await kind.withPair { near, far in
      try await far.write(example.text)
      far.close()
      var lines: [String] = []
      for try await line in near.lines { lines.append(line) }
      #expect(lines == example.lines)
    }
    try await kind.withPipe { reader, writer in
      try await writer.write(Array(example.text.utf8))
      writer.close()
      var lines: [String] = []
      while let line = try await reader.readLine() { lines.append(line) }
      #expect(lines == example.lines)
    }
  }

  @Test("The greatest number means no limit", arguments: LoopKind.allCases)
  func noLimit(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      // The end is not there when the read begins.
      async let line = near.readLine(limit: .max)
      try await far.write("one")
      try await turnUntil { near.leftover.count == 3 }
      try await far.write("\ntwo;three")
      #expect(try await line == "one")
      #expect(try await near.readUntil([UInt8(ascii: ";")], limit: .max) == Array("two;".utf8))
      far.close()
      #expect(try await near.readToEnd(limit: .max) == Array("three".utf8))
    }
  }

  @Test("A sequence of lines has a limit for each line", arguments: LoopKind.allCases)
  func lineLimit(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("short\nmuch too long\n")
      var lines: [String] = []
      let error = try await failure(LimitOverrunError.self) {
        for try await line in near.lines(limit: 6) { lines.append(line) }
      }
      #expect(lines == ["short"])
      #expect(error.limit == 6)
      #expect(try await near.readLine() == "much too long")
    }
  }

  @Test("chunks gives every byte to the end of the stream", arguments: LoopKind.allCases)
  func chunks(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      async let sent: Void = far.write(numbered(0..<200_000))
      var got: [UInt8] = []
      for try await chunk in near.chunks {
        #expect(!chunk.isEmpty)
        got += chunk
        if got.count == 200_000 { far.close() }
      }
      try await sent
      #expect(got == numbered(0..<200_000))
    }
  }

  @Test("readToEnd returns everything, within its limit", arguments: LoopKind.allCases)
  func toEnd(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("0123456789")
      try far.writeEOF()
      let error = try await failure(LimitOverrunError.self) { _ = try await near.readToEnd(limit: 9) }
      #expect(error.limit == 9)
      #expect(try await near.readToEnd(limit: 10) == Array("0123456789".utf8))
      #expect(try await near.readToEnd(limit: 0) == [])
    }
  }

  @Test("readToEnd checks its limit on what has arrived, even if nothing more comes", arguments: LoopKind.allCases)
  func toEndOfLeftover(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("0123456789")
      // With a silent peer, a call that waited would wait for ever.
      for _ in 0..<2 {
        let error = try await failure(LimitOverrunError.self) { _ = try await near.readToEnd(limit: 4) }
        #expect(error.goal == .end && !error.description.contains("separator"))
      }
      let line = try await failure(LimitOverrunError.self) { _ = try await near.readLine(limit: 4) }
      #expect(line.goal == .separator && line.description.contains("separator"))
      _ = try await failure(LimitOverrunError.self) { _ = try await near.readToEnd(limit: 9) }
      #expect(try await near.readExactly(10) == Array("0123456789".utf8))
    }
  }

  @Test("A line that is cancelled half-way is complete for the next read", arguments: LoopKind.allCases)
  func cancelledLine(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let reading = try loopTask { try await near.readLine() }
      try await far.write("half and ")
      try await turnUntil { near.leftover.count == 9 && near.isReading }
      reading.cancel()
      await #expect(throws: CancellationError.self) { try await reading.value }
      try await far.write("half\n")
      #expect(try await near.readLine() == "half and half")
    }
  }
}

import Testing

@testable import AsyncIO

/// `readUntil(anyOf:)`: the first end of any of several separators.
@Suite(.timeLimit(.minutes(5)))
struct SeveralSeparatorsTests {
  private static func bytes(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

  @Test("The first to end wins, even if it is the longer one", arguments: LoopKind.allCases)
  func first(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("line 1\nline 2\rABCDEFG")
      #expect(try await near.readUntil(anyOf: Self.bytes("\r", "\n")) == Array("line 1\n".utf8))
      #expect(try await near.readUntil(anyOf: Self.bytes("\r", "\n")) == Array("line 2\r".utf8))
      #expect(try await near.readUntil(anyOf: Self.bytes("DEF", "BCDE")) == Array("ABCDE".utf8))
      #expect(try await near.readUntil(anyOf: Self.bytes("G")) == Array("FG".utf8))
    }
    try await kind.withPipe { reader, writer in
      try await writer.write("one;two\n")
      #expect(try await reader.readUntil(anyOf: Self.bytes("\n", ";")) == Array("one;".utf8))
      #expect(try await reader.readUntil(anyOf: Self.bytes("\n", ";")) == Array("two\n".utf8))
    }
  }

  @Test("Where several end, the shortest counts for the limit", arguments: LoopKind.allCases)
  func limit(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("some dataA")
      let error = try await failure(LimitOverrunError.self) {
        _ = try await near.readUntil(anyOf: Self.bytes("ome dataA", "A"), limit: 8)
      }
      #expect(error.limit == 8 && error.goal == .separator)
      #expect(try await near.readUntil(anyOf: Self.bytes("ome dataA", "A"), limit: 9) == Array("some dataA".utf8))
      // None can end within the limit any more, and the peer is silent.
      try await far.write("0123456789")
      _ = try await failure(LimitOverrunError.self) {
        _ = try await near.readUntil(anyOf: Self.bytes("\n", "\r\n"), limit: 8)
      }
      #expect(try await near.readExactly(10) == Array("0123456789".utf8))
    }
  }

  @Test("The end of the stream comes before any: IncompleteReadError", arguments: LoopKind.allCases)
  func incomplete(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("half\r")
      far.close()
      let error = try await failure(IncompleteReadError.self) {
        _ = try await near.readUntil(anyOf: Self.bytes("\r\n", "\n"), limit: .max)
      }
      #expect(error.partial == Array("half\r".utf8) && error.expected == nil)
    }
  }

  @Test("No separators, and empty ones, are refused, and nothing is read", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("x\n")
      for separators in [[], [[]], [[10], []]] as [[[UInt8]]] {
        let error = try await failure(EventLoopError.self) { _ = try await near.readUntil(anyOf: separators) }
        #expect(error.code == .invalidArgument && error.description.contains("Give at least one"))
      }
      let error = try await failure(EventLoopError.self) { _ = try await near.readUntil(anyOf: [[10]], limit: -1) }
      #expect(error.code == .invalidArgument)
      #expect(try await near.readUntil(anyOf: [[10]]) == Array("x\n".utf8))
    }
  }

  /// What a search through the whole text finds first.
  private static func reference(
    _ text: ArraySlice<UInt8>, _ separators: [[UInt8]], limit: Int
  ) -> Result<[UInt8], LimitOverrunError>? {
    for end in text.indices {
      let lengths = separators.filter { text[...end].suffix($0.count).elementsEqual($0) }.map(\.count)
      guard let shortest = lengths.min() else { continue }
      let found = Array(text[...end])
      return found.count - shortest <= limit
        ? .success(found) : .failure(LimitOverrunError(limit: limit, goal: .separator))
    }
    return nil
  }

  @Test("Whatever the chunks, it finds what a search through the whole finds", arguments: LoopKind.allCases)
  func property(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      var random = SplitMix(seed: 12)
      func word(_ length: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: length, using: &random)).map { _ in UInt8.random(in: 97...98, using: &random) }
      }
      for round in 0..<300 {
        let separators = (0..<Int.random(in: 1...4, using: &random)).map { _ in word(1...5) }
        let limit = Int.random(in: 0...20, using: &random)
        // Its end has every separator, so each search ends.
        let text = word(0...40) + separators.flatMap { $0 }
        var left = text[...]
        var unsent = text[...]
        reading: while let expected = Self.reference(left, separators, limit: limit) {
          let reading = try loopTask { try await near.readUntil(anyOf: separators, limit: limit) }
          let outcome = loopTaskEnd(of: reading)
          while !outcome.isSet {
            if !unsent.isEmpty && (near.isReading || Bool.random(using: &random)) {
              let chunk = unsent.prefix(Int.random(in: 1...6, using: &random))
              unsent = unsent.dropFirst(chunk.count)
              try await far.write(Array(chunk))
            }
            try await sleep(for: .zero)
          }
          switch expected {
          case .success(let found):
            #expect(try await reading.value == found, "round \(round)")
            left = left.dropFirst(found.count)
          case .failure(let error):
            let thrown = try await failure(LimitOverrunError.self) { _ = try await reading.value }
            #expect(thrown == error, "round \(round)")
            break reading
          }
        }
        if !unsent.isEmpty { try await far.write(Array(unsent)) }
        #expect(try await near.readExactly(left.count) == Array(left), "round \(round)")
      }
    }
  }

  /// Set when the task has ended.
  private func loopTaskEnd(of task: Task<[UInt8], any Error>) -> Flag {
    let flag = Flag()
    Task {
      _ = await task.result
      flag.set()
    }
    return flag
  }
}

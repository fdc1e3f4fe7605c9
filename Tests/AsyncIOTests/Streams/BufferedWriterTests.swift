import SystemPackage
import Testing

@testable import AsyncIO

/// A writer that several tasks share.
@Suite(.timeLimit(.minutes(5)))
struct BufferedWriterTests {
  @Test("What several tasks write in one turn leaves in one send", arguments: LoopKind.allCases)
  func oneSend(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writer = BufferedWriter(near)
      let before = near.sending.sequence
      let tasks = try (0..<20).map { number in
        try loopTask { for _ in 0..<5 { try await writer.write([UInt8(number)]) } }
      }
      for task in tasks { try await task.value }
      try await writer.flush()
      #expect(near.sending.sequence == before + 1, "the sends that it took")
      let bytes = try await far.readExactly(100)
      #expect(bytes == (0..<20).flatMap { [UInt8](repeating: $0, count: 5) }, "in the order of the writes")
      try await writer.write("more")
      #expect(try await far.readExactly(4) == Array("more".utf8), "nobody has to flush")
    }
  }

  @Test(
    "Each write leaves in one piece, those of a task in order, however small the limit", arguments: LoopKind.allCases)
  func whole(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writer = BufferedWriter(near, limit: 1000)
      let tasks = try (0..<4).map { part in
        try loopTask {
          for number in 0..<50 {
            try await writer.write(frame: [UInt8(part), UInt8(number)] + numbered(0..<number * 40), as: codec)
          }
        }
      }
      var next = [UInt8](repeating: 0, count: 4)
      var got = 0
      for try await frame in far.frames(codec) {
        #expect(next[Int(frame[0])] == frame[1] && Array(frame.dropFirst(2)) == numbered(0..<Int(frame[1]) * 40))
        next[Int(frame[0])] += 1
        got += 1
        if got == 200 { break }
      }
      for task in tasks { try await task.value }
      #expect(next == [50, 50, 50, 50])
    }
  }

  private let codec = LengthPrefixed(.uint16)

  @Test(
    "A write waits, in order, while the limit is reached; a cancelled one has written nothing",
    arguments: LoopKind.allCases)
  func limit(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writer = BufferedWriter(near, limit: 10)
      let large = numbered(0..<16_000_000)
      try await writer.write(large)
      try await turnUntil { near.isWriting }
      let order = Recorder<Int>()
      let waiting = try (0..<3).map { number in
        try loopTask {
          try await writer.write([UInt8](repeating: UInt8(number), count: 4))
          order.record(number)
        }
      }
      let flushing = try loopTask {
        try await writer.flush()
        order.record(9)
      }
      for _ in 0..<5 { try await sleep(for: .zero) }
      #expect(order.all == [], "all of them wait")
      waiting[1].cancel()
      await #expect(throws: CancellationError.self) { try await waiting[1].value }
      #expect(try await far.readExactly(large.count) == large)
      for task in [waiting[0], waiting[2], flushing] { try await task.value }
      #expect(order.all.filter { $0 < 9 } == [0, 2])
      #expect(try await far.readExactly(8) == [0, 0, 0, 0, 2, 2, 2, 2])
    }
  }

  @Test("After a failure every write and flush throws that error", arguments: LoopKind.allCases)
  func failure(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writer = BufferedWriter(near, limit: 10)
      try await writer.write(numbered(0..<16_000_000))
      try await turnUntil { near.isWriting }
      let waiting = try [
        loopTask { try await writer.write("wait") }, loopTask { try await writer.flush() },
      ]
      try await sleep(for: .zero)
      far.abort()
      for task in waiting { await #expect(throws: IOError.self) { try await task.value } }
      for _ in 0..<2 {
        let error = try await AsyncIOTests.failure(IOError.self) { try await writer.write("x") }
        #expect(error.errno == .connectionReset || error.errno == .brokenPipe)
        await #expect(throws: IOError.self) { try await writer.flush() }
      }
      await #expect(throws: IOError.self) { try await writer.close() }
      #expect(near.isClosed)
    }
  }

  @Test("close flushes, closes, and refuses what comes later or waits", arguments: LoopKind.allCases)
  func close(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writer = BufferedWriter(near, limit: 10)
      let large = numbered(0..<16_000_000)
      try await writer.write(large)
      try await turnUntil { near.isWriting }
      let waiting = try loopTask { try await writer.write("late") }
      try await sleep(for: .zero)
      let closing = try loopTask { try await writer.close() }
      let refusal = try await AsyncIOTests.failure(IOError.self) { try await waiting.value }
      #expect(refusal.errno == .badFileDescriptor)
      #expect(try await far.readToEnd() == large)
      try await closing.value
      await #expect(throws: IOError.self) { try await writer.write("x") }
      #expect(near.isClosed)
    }
  }

  @Test(
    "A cancelled task closes at once, and with a shield what was written arrives", arguments: LoopKind.allCases,
    [false, true])
  func cancelledClose(kind: LoopKind, isShielded: Bool) async throws {
    try await kind.withPair { near, far in
      let writer = BufferedWriter(near)
      try await writer.write("goodbye")
      let closing = try loopTask {
        withUnsafeCurrentTask { $0?.cancel() }
        if isShielded {
          try await withCancellationShield(atMost: .seconds(60)) { try await writer.close() }
        } else {
          try await writer.close()
        }
      }
      let outcome = await closing.result
      #expect(near.isClosed)
      if isShielded {
        try outcome.get()
        #expect(try await far.readToEnd() == Array("goodbye".utf8))
      } else {
        #expect(throws: CancellationError.self) { try outcome.get() }
      }
    }
  }

  @Test("Tasks of other threads share it as well", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writer = BufferedWriter(near, limit: 64)
      async let writing: Void = withThrowingDiscardingTaskGroup { group in
        for part in 0..<4 {
          let eight = [UInt8](repeating: UInt8(part), count: 8)
          group.addTask { try await Task.detached { for _ in 0..<100 { try await writer.write(eight) } }.value }
        }
      }
      var counts = [0, 0, 0, 0]
      for _ in 0..<400 {
        let eight = try await far.readExactly(8)
        #expect(Set(eight).count == 1, "no write is torn")
        counts[Int(eight[0])] += 1
      }
      try await writing
      #expect(counts == [100, 100, 100, 100])
    }
  }
}

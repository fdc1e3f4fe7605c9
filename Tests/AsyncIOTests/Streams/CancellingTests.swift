import Testing

@testable import AsyncIO

/// Two tasks at one connection, and what cancelling does: lines 66 to 68 of the conformance list, and no
/// byte is lost.
@Suite(.timeLimit(.minutes(5)))
struct CancellingTests {
  @Test("66: a second reader is refused, the first goes on", arguments: LoopKind.allCases)
  func secondReader(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      async let first = near.readExactly(3)
      try await turnUntil { near.isReading }
      let error = try await failure(EventLoopError.self) { _ = try await near.read(upTo: 1) }
      #expect(error.code == .busy)
      #expect(error.description.contains("another task is reading"))
      let chunks = try await failure(EventLoopError.self) { try await near.forEachChunk { _ in } }
      #expect(chunks.code == .busy)
      try await far.write("abc")
      #expect(try await first == Array("abc".utf8))
    }
  }

  @Test("66: a second writer is refused, the first goes on", arguments: LoopKind.allCases)
  func secondWriter(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let total = 16_000_000
      async let first: Void = near.write(numbered(0..<total))
      try await turnUntil { near.isWriting }
      let error = try await failure(EventLoopError.self) { try await near.write("x") }
      #expect(error.code == .busy)
      #expect(try await far.readExactly(total) == numbered(0..<total))
      try await first
      try await near.write("x")
      #expect(try await far.readExactly(1) == Array("x".utf8))
    }
  }

  @Test("A reader and a writer share a connection", arguments: LoopKind.allCases)
  func readerAndWriter(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let total = 2_000_000
      async let echo: Void = far.forEachChunk { try await far.write($0) }
      async let written: Void = near.write(numbered(0..<total))
      #expect(try await near.readExactly(total) == numbered(0..<total))
      try await written
      try near.writeEOF()
      try await echo
    }
  }

  @Test("67, 68: a cancelled read leaves nothing waiting, the next one gets the data", arguments: LoopKind.allCases)
  func cancelThenRead(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let reading = try loopTask { try await near.read(upTo: 10) }
      try await turnUntil { near.isReading }
      reading.cancel()
      #expect(kind == .proactor || !near.isReading)
      await #expect(throws: CancellationError.self) { try await reading.value }
      try await far.write("data")
      #expect(try await near.read(upTo: 10) == Array("data".utf8))
    }
  }

  @Test("A task that is cancelled already does not wait", arguments: LoopKind.allCases)
  func cancelledBefore(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let task = try loopTask {
        withUnsafeCurrentTask { $0?.cancel() }
        await #expect(throws: CancellationError.self) { try await near.read(upTo: 10) }
        await #expect(throws: CancellationError.self) { try await near.withNextChunk { _ in } }
        await #expect(throws: CancellationError.self) { try await near.forEachChunk { _ in } }
        await #expect(throws: CancellationError.self) { try await near.serveChunks { _, _ in } }
      }
      try await task.value
      try await far.write("data")
      #expect(try await near.read(upTo: 10) == Array("data".utf8))
    }
  }

  @Test("A cancelled loop over chunks ends, in both forms", arguments: LoopKind.allCases)
  func cancelChunks(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let lent = try loopTask { try await near.forEachChunk { _ in } }
      try await turnUntil { near.isReading }
      lent.cancel()
      await #expect(throws: CancellationError.self) { try await lent.value }
      let synchronous = try loopTask { try await near.serveChunks { _, _ in } }
      try await turnUntil { near.isReading }
      synchronous.cancel()
      await #expect(throws: CancellationError.self) { try await synchronous.value }
      try await far.write("data")
      #expect(try await near.read(upTo: 10) == Array("data".utf8))
    }
  }

  @Test("70: a cancelled write stops", arguments: LoopKind.allCases)
  func cancelWrite(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writing = try loopTask { try await near.write(numbered(0..<64_000_000)) }
      try await turnUntil { near.isWriting }
      writing.cancel()
      await #expect(throws: CancellationError.self) { try await writing.value }
      let gone = near.sending.transferred
      try near.writeEOF()
      let got = try await far.readToEnd()
      #expect(got.count == gone && gone < 64_000_000)
      #expect(got == numbered(0..<gone), "what was sent before is a beginning of what was to be sent")
    }
  }

  @Test("Cancelling reads at random points loses no byte and doubles none", arguments: LoopKind.allCases)
  func conservation(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      var random = SystemRandomNumberGenerator()
      let isOver = Flag()
      let sender = try loopTask {
        var sent = 0
        while !isOver.isSet {
          let count = Int.random(in: 1...3000)
          try await far.write(numbered(sent..<sent + count))
          sent += count
          if Bool.random() { await Task.yield() } else { try? await sleep(for: .microseconds(20)) }
        }
        try far.writeEOF()
        return sent
      }
      var got = 0
      var cancelled = 0
      func check(_ bytes: [UInt8]) {
        #expect(bytes == numbered(got..<got + bytes.count))
        got += bytes.count
      }
      for round in 0..<2000 {
        let reading = try loopTask {
          switch round % 3 {
          case 0: try await near.read(upTo: 700)
          case 1: try await near.readExactly(1500)
          default: try await near.withNextChunk { $0.withUnsafeBytes { Array($0) } } ?? []
          }
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) { await Task.yield() }
        if random.next() % 4 == 0 { try await sleep(for: .microseconds(30)) }
        reading.cancel()
        switch await reading.result {
        case .success(let bytes): check(bytes)
        case .failure(let error):
          #expect(error is CancellationError)
          cancelled += 1
        }
      }
      isOver.set()
      check(try await near.readToEnd())
      let sent = try await sender.value
      #expect(got == sent)
      #expect(cancelled > 20 && cancelled < 2000, "\(cancelled) of 2000 were cancelled in time")
    }
  }
}

import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Small writes count as sent when they are taken, as with a socket's own buffer. What follows from that: order, errors
/// and ends come behind them (hazard D10, invariants I11 and I13).
@Suite(.enabled(if: LoopKind.hasProactor, "io_uring is not available"), .timeLimit(.minutes(5)))
struct ProactorSendingTests {
  /// Run the body on a loop with both ends of a connection whose near end has a small buffer in the system.
  private static func withPair<R: Sendable>(
    _ body: @escaping @Sendable (_ near: StreamConnection, _ far: StreamConnection) async throws -> R
  ) async throws -> R {
    let loop = try ProactorEventLoop()
    defer { try? loop.close() }
    return try await loop.run {
      let pair = try await StreamPair.make()
      defer { pair.close() }
      _ = SystemSockets.shared.setOption(pair.near.descriptor.fileDescriptor, SOL_SOCKET, SO_SNDBUF, [4096])
      return try await body(pair.near, pair.far)
    }
  }

  @Test("Small writes keep their order, among themselves and around large ones", arguments: [1, 2, 3] as [UInt64])
  func order(seed: UInt64) async throws {
    try await Self.withPair { near, far in
      let writing = try loopTask {
        var random = SplitMix(seed: seed)
        var sent = 0
        for _ in 0..<1000 {
          let kind = random.next() % 100
          let count = 1 + Int(random.next() % (kind == 0 ? 1 << 20 : kind < 10 ? 20_000 : 300))
          try await near.write(numbered(sent..<sent + count))
          sent += count
          if kind > 90 { await Task.yield() }
        }
        try near.writeEOF()
        return sent
      }
      var got = 0
      try await far.forEachChunk { chunk in
        let isRight = chunk.withUnsafeBytes { RacingBytes.areRight($0.baseAddress!, $0.count, at: got) }
        try #require(isRight, "at \(got)")
        got += chunk.byteCount
      }
      #expect(got == (try await writing.value))
    }
  }

  @Test("What does not fit waits, and goes on when the peer reads; a cancelled wait sends nothing")
  func beyondOutbox() async throws {
    try await Self.withPair { near, far in
      let sent = Counter()
      let isOver = Flag()
      // In pieces until one waits: how much fits is the system's affair.
      @Sendable func write() async throws {
        while !isOver.isSet {
          try await near.write(numbered(sent.value..<sent.value + 1000))
          sent.add(1000)
        }
      }
      let cancelled = try loopTask { try await write() }
      try await turnUntil { near.isWriting }
      cancelled.cancel()
      await #expect(throws: CancellationError.self) { try await cancelled.value }
      let waiting = try loopTask { try await write() }
      try await turnUntil { near.isWriting }
      isOver.set()
      let reading = try loopTask { try await far.readToEnd() }
      try await waiting.value
      try near.writeEOF()
      let isRight = try await reading.value == numbered(0..<sent.value)
      #expect(isRight)
    }
  }

  @Test("The error of a write that was taken is the next one's")
  func errorOfTaken() async throws {
    try await withFullSocket { near, pair in
      let stream = try #require(near.descriptor.stream)
      pair.close(pair.b)
      try await turnUntil { stream.pointee.sendError != 0 }
      #expect(stream.pointee.outbox.isEmpty)
      for _ in 0..<2 {
        let error = try await failure(IOError.self) { try await near.write("y") }
        #expect(error.errno == .brokenPipe)
      }
    }
  }

  @Test("The error of a write that was taken is that of one which waits behind it")
  func errorOfWaiting() async throws {
    try await withFullSocket { near, pair in
      let waiting = try loopTask { try await near.write(numbered(0..<1000)) }
      try await turnUntil { near.isWriting }
      pair.close(pair.b)
      let error = try await failure(IOError.self) { try await waiting.value }
      #expect(error.errno == .brokenPipe)
    }
  }

  @Test("A reset is reported once, then the system answers")
  func reset() async throws {
    try await Self.withPair { near, far in
      let writing = try loopTask { while true { try await near.write(numbered(0..<1000)) } }
      try await turnUntil { near.isWriting }
      far.abort()
      let first = try await failure(IOError.self) { _ = try await writing.value }
      #expect(first.isConnectionLoss, "\(first)")
      let second = try await failure(IOError.self) { while true { try await near.write("z") } }
      #expect(second.isConnectionLoss, "\(second)")
    }
  }

  @Test("The end of the stream comes after what was taken, and ends the writing at once")
  func endBehindOutbox() async throws {
    try await Self.withPair { near, far in
      let taken = try await fill(near, of: near.core)
      try near.writeEOF()
      try near.writeEOF()
      for _ in 0..<2 {
        let error = try await failure(IOError.self) { try await near.write("more") }
        #expect(error.errno == .brokenPipe)
      }
      let got = try await far.readToEnd()
      let isRight = got == numbered(0..<taken)
      #expect(isRight)
      try await far.write("answer")
      #expect(try await near.readExactly(6) == Array("answer".utf8))
      let error = try await failure(IOError.self) { try await near.write("more") }
      #expect(error.errno == .brokenPipe)
    }
  }

  @Test("The end of the stream from another thread comes after what was written there")
  func endElsewhere() async throws {
    for _ in 0..<300 {
      try await Self.withPair { near, far in
        let writing = Task.detached {
          try await near.write("question")
          try near.writeEOF()
        }
        #expect(try await far.readToEnd() == Array("question".utf8))
        try await writing.value
      }
    }
  }

  @Test("close sends what was taken, then the end", arguments: [false, true])
  func closeBehindOutbox(isFull: Bool) async throws {
    try await Self.withPair { near, far in
      var taken = 8
      if isFull { taken = try await fill(near, of: near.core) } else { try await near.write(numbered(0..<8)) }
      let descriptor = near.descriptor
      near.close()
      #expect(descriptor.stream != nil && descriptor.isHeld, "the number is kept until the bytes are gone")
      let got = try await far.readToEnd()
      let isRight = got == numbered(0..<taken)
      #expect(isRight)
      try await turnUntil { descriptor.stream == nil }
      #expect(!descriptor.isHeld)
    }
  }

  @Test("abort drops what was taken: the peer sees a reset, and the number is free")
  func abortDropsOutbox() async throws {
    try await Self.withPair { near, far in
      _ = try await fill(near, of: near.core)
      let descriptor = near.descriptor
      near.abort()
      let error = try await failure(IOError.self) { _ = try await far.readToEnd() }
      #expect(error.errno == .connectionReset)
      try await turnUntil { descriptor.stream == nil }
    }
  }

  @Test("A run that ends behind a write and a close still sends the bytes", arguments: [false, true])
  func endOfRun(isFull: Bool) async throws {
    let backend = try ProactorBackend()
    let loop = ProactorEventLoop(proactor: backend)
    defer { try? loop.close() }
    let (pair, taken) = try await loop.run {
      let pair = try await StreamPair.make()
      let taken = isFull ? try await fill(pair.near, of: loop) : 3
      if !isFull { try await pair.near.write(numbered(0..<3)) }
      pair.near.close()
      return (pair, taken)
    }
    // Nobody runs the loop any more; what the system did not take is lost, and nothing of the connection is left.
    #expect(pair.near.descriptor.stream == nil && backend.lingering.isEmpty)
    let got = receiveAll(pair.far.descriptor.fileDescriptor)
    #expect(isFull ? got.count <= taken : got.count == taken)
    let isRight = got == numbered(0..<got.count)
    #expect(isRight)
    var byte: UInt8 = 0
    #expect(recv(pair.far.descriptor.fileDescriptor, &byte, 1, Int32(MSG_DONTWAIT)) == 0, "then the end")
    pair.far.close()
  }
}

import AsyncIOSimulation
import SystemPackage
import Testing

@testable import AsyncIO

/// A connection that moves from one loop to another, each in its thread, for every pair of kinds.
@Suite struct MovingTests {
  /// Run the body as a task of one loop while another one runs beside it.
  private static func withLoops<R: Sendable>(
    _ one: LoopKind, _ two: LoopKind, _ body: @escaping @Sendable (_ here: BaseEventLoop, Other) async throws -> R
  ) async throws -> R {
    let there = try two.makeLoop()
    defer { try? there.close() }
    let end = there.createFuture(of: Void.self)
    async let running: Void = there.run { try await end.get() }
    let result: Result<R, any Error>
    do {
      result = .success(try await one.run { try await body($0, Other(loop: there)) })
    } catch { result = .failure(error) }
    try end.setResult(())
    try await running
    return try result.get()
  }

  struct Other: Sendable {
    let loop: BaseEventLoop

    func run<R: Sendable>(_ body: sending @escaping () async throws -> R) async throws -> R {
      try await loop.runCoroutineThreadsafe(body).get()
    }
  }

  @Test(
    "Bytes that were received and not read go along; the old object refuses", arguments: LoopKind.allCases,
    LoopKind.allCases)
  func buffered(from: LoopKind, to: LoopKind) async throws {
    try await Self.withLoops(from, to) { here, other in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      try await pair.far.write("route me\nrest")
      #expect(try await pair.near.readLine() == "route me")
      let moved = try await pair.near.move(to: other.loop)
      #expect(moved.loop === other.loop && pair.near.isClosed && !moved.isClosed)
      let refusal = try await failure(IOError.self) { _ = try await pair.near.readLine() }
      #expect(refusal.errno == .badFileDescriptor && refusal.description.contains("moved to another loop"))
      #expect(try await failure(IOError.self) { try await pair.near.write("x") }.description.contains("moved"))
      try await pair.far.write("more\n")
      let rest = try await other.run {
        let rest = try await moved.readLine()
        try await moved.write("answer")
        moved.close()
        return rest
      }
      #expect(rest == "restmore")
      #expect(try await pair.far.readToEnd() == Array("answer".utf8))
    }
  }

  @Test(
    "Nothing is lost or overtaken while both sides write and the connection goes to and fro",
    arguments: LoopKind.allCases, LoopKind.allCases)
  func inTraffic(from: LoopKind, to: LoopKind) async throws {
    let total = 1 << 21
    try await Self.withLoops(from, to) { here, other in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let far = pair.far
      let writing = try loopTask {
        for start in stride(from: 0, to: total, by: 4096) { try await far.write(numbered(start..<start + 4096)) }
        try far.writeEOF()
      }
      let reading = try loopTask { try await far.readToEnd() }
      let loops = [here, other.loop]
      var connection = pair.near
      var received = 0
      var rounds = 0
      while received < total {
        let (current, begin, round) = (connection, received, rounds)
        let next = loops[(rounds + 1) % 2]
        let step: @Sendable () async throws -> (StreamConnection, Int) = {
          var count = begin
          // By turns in each of the ways to read, for what each of them leaves behind.
          if round % 3 == 0 {
            let bytes = try await current.readExactly(min(3000, total - count))
            #expect(bytes == numbered(count..<count + bytes.count))
            count += bytes.count
          } else if round % 3 == 1 {
            _ = try await current.withNextChunk { bytes in
              #expect(bytes.withUnsafeBytes { Array($0) } == numbered(count..<count + bytes.byteCount))
              count += bytes.byteCount
            }
          } else {
            struct Enough: Error {}
            do {
              try await current.forEachChunk { bytes in
                #expect(bytes.withUnsafeBytes { Array($0) } == numbered(count..<count + bytes.byteCount))
                count += bytes.byteCount
                throw Enough()
              }
            } catch is Enough {}
          }
          for part in 0..<3 {
            try await current.write(numbered(round * 300 + part * 100..<round * 300 + part * 100 + 100))
          }
          return (try await current.move(to: next), count)
        }
        (connection, received) = rounds % 2 == 0 ? try await step() : try await other.run(step)
        rounds += 1
      }
      connection.close()
      try await writing.value
      #expect(try await reading.value == numbered(0..<rounds * 300))
      #expect(rounds > 3)
    }
  }

  @Test(
    "What has ended stays ended: the peer's end, this side's end, and a reset", arguments: LoopKind.allCases,
    LoopKind.allCases)
  func ends(from: LoopKind, to: LoopKind) async throws {
    try await Self.withLoops(from, to) { here, other in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      try await pair.far.write("first\nlast")
      try pair.far.writeEOF()
      #expect(try await pair.near.readLine() == "first")
      try pair.near.writeEOF()
      let moved = try await pair.near.move(to: other.loop)
      let (last, refusal) = try await other.run {
        defer { moved.close() }
        let last = try await moved.readToEnd()
        return (last, try await failure(IOError.self) { try await moved.write("x") })
      }
      #expect(last == Array("last".utf8))
      #expect(refusal.errno == .brokenPipe)
      #expect(try await pair.far.readToEnd() == [])

      let second = try await StreamPair.make()
      try await second.far.write("first\n")
      // By chunks, so that a proactor receives ahead and hears of the reset before anybody asks.
      _ = try await second.near.withNextChunk { _ in }
      let waiting = try loopTask { try await second.near.forEachChunk { _ in } }
      try await turnUntil { second.near.isReading }
      waiting.cancel()
      _ = try? await waiting.value
      second.far.abort()
      if from == .proactor {
        try await turnUntil { second.near.descriptor.stream.map { $0.pointee.end != Int.max } ?? false }
      }
      let reset = try await second.near.move(to: other.loop)
      let error = try await other.run {
        defer { reset.close() }
        return try await failure(IOError.self) { _ = try await reset.read(upTo: 10) }
      }
      #expect(error.errno == .connectionReset)
    }
  }

  @Test(
    "Written bytes that are not with the system yet are waited for, and the wait can be cancelled",
    arguments: LoopKind.allCases, LoopKind.allCases)
  func unsent(from: LoopKind, to: LoopKind) async throws {
    try await Self.withLoops(from, to) { here, other in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let (near, written) = (pair.near, Counter())
      let filling = try loopTask {
        while true {
          try await near.write(numbered(written.value..<written.value + 1000))
          written.add(1000)
        }
      }
      // Full when nothing more is taken in many turns, and not just until the next one.
      var (seen, turns) = (-1, 0)
      try await turnUntil {
        turns = written.value == seen && near.isWriting ? turns + 1 : 0
        seen = written.value
        return turns > 50
      }
      #expect(try await failure(EventLoopError.self) { _ = try await near.move(to: other.loop) }.code == .busy)
      filling.cancel()
      _ = try? await filling.value
      let holds = here.backend.hasUnsent(near.descriptor)
      // On a proactor the last one that did not fit was a small write, which it holds, or one that had begun to be
      // sent.
      #expect(!holds || from == .proactor)
      if holds {
        let moving = try loopTask { _ = try await near.move(to: other.loop) }
        try await turnUntil { near.isWriting }
        moving.cancel()
        await #expect(throws: CancellationError.self) { try await moving.value }
        #expect(!near.isClosed)
      }
      let reading = try loopTask { try await pair.far.readToEnd() }
      let moved = try await near.move(to: other.loop)
      try await other.run {
        try await moved.write("end")
        moved.close()
      }
      // A write that was cancelled may have sent a part.
      let all = try await reading.value
      #expect(all.count >= written.value + 3 && all.count < written.value + 1003)
      #expect(all.dropLast(3) == numbered(0..<all.count - 3)[...] && all.suffix(3) == Array("end".utf8)[...])
    }
  }

  @Test("A task that reads keeps the connection where it is; cancelled, it lets go", arguments: LoopKind.allCases)
  func busy(kind: LoopKind) async throws {
    try await Self.withLoops(kind, kind) { here, other in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let (near, far) = (pair.near, pair.far)
      let reading = try loopTask { try await near.forEachChunk { _ in } }
      try await turnUntil { near.isReading }
      let refusal = try await failure(EventLoopError.self) { _ = try await near.move(to: other.loop) }
      #expect(refusal.code == .busy && refusal.description.contains("before the connection moves"))
      // Still here, and working.
      try await near.write("x")
      #expect(try await far.readExactly(1) == Array("x".utf8))
      reading.cancel()
      _ = try? await reading.value
      try await far.write("bytes for nobody yet")
      let moved = try await near.move(to: other.loop)
      #expect(try await other.run { try await moved.readExactly(5) } == Array("bytes".utf8))
      moved.close()
    }
  }

  @Test(
    "Loops that are closed, or of another world, are refused, and so is another thread", arguments: LoopKind.allCases)
  func refusals(kind: LoopKind) async throws {
    try await Self.withLoops(kind, kind) { here, other in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let near = pair.near
      let closed = try kind.makeLoop()
      try closed.close()
      #expect(try await failure(EventLoopError.self) { _ = try await near.move(to: closed) }.code == .closed)
      let code = try await other.run {
        try await failure(EventLoopError.self) { _ = try await near.move(to: other.loop) }.code
      }
      #expect(code == .wrongThread)
      let simulated = SimulationEventLoop(seed: 1)
      defer { try? simulated.close() }
      #expect(try await failure(EventLoopError.self) { _ = try await near.move(to: simulated) }.code == .notOffered)
      // All of it has left the connection where it was.
      try await near.write("x")
      #expect(try await pair.far.readExactly(1) == Array("x".utf8))
      near.close()
      let gone = try await failure(IOError.self) { _ = try await near.move(to: other.loop) }
      #expect(gone.errno == .badFileDescriptor && gone.description.contains("closed here"))
    }
  }

  @Test("A handler may give its connection away: the server closes the old object only", arguments: LoopKind.allCases)
  func fromHandler(kind: LoopKind) async throws {
    try await Self.withLoops(kind, kind) { here, other in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask {
        try await listener.serve { connection in
          let moved = try await connection.move(to: other.loop)
          try other.loop.runCoroutineThreadsafe {
            defer { moved.close() }
            try await moved.forEachChunk { try await moved.write($0) }
          }
        }
      }
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      for round in 0..<5 {
        try await client.write("round \(round)\n")
        #expect(try await client.readLine() == "round \(round)")

      }
      listener.close()
      try await serving.value
      try await client.write("after the server\n")
      #expect(try await client.readLine() == "after the server")
      client.close()
    }
  }

  #if os(Linux)
    @Test(
      "Moves leave nothing behind: on the way, moved and dropped, into a loop that never runs",
      arguments: LoopKind.allCases)
    func leaks(kind: LoopKind) async throws {
      await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
        @Sendable func work() async throws {
          try await MovingTests.withLoops(kind, kind) { here, other in
            for _ in 0..<20 {
              let pair = try await StreamPair.make()
              try await pair.far.write("first\nsecond")
              _ = try await pair.near.readLine()
              let moved = try await pair.near.move(to: other.loop)
              _ = try await other.run { try await moved.move(to: here) }
              pair.far.close()
            }
            let idle = try kind.makeLoop()
            let pair = try await StreamPair.make()
            _ = try await pair.near.move(to: idle)
            let kept = try await pair.far.move(to: idle)
            try idle.close()
            withExtendedLifetime(kept) {}
          }
        }
        try await work()
        try await expectNoLeaks { try await work() }
      }
    }
  #endif
}

import Testing

@testable import AsyncIO

/// A ring belongs to one thread and one run; what the loop does for its tasks belongs to neither.
@Suite(.enabled(if: LoopKind.hasProactor, "io_uring is not available"), .timeLimit(.minutes(5)))
struct ProactorRunTests {
  @Test("What is in flight when a run ends goes on in the next one, in another thread")
  func threadsInTurn() async {
    await #expect(processExitsWith: .success) {
      // The first use of a thing makes what the process keeps for ever.
      try await Self.useThreadsInTurn()
      try await expectNoLeaks { try await Self.useThreadsInTurn() }
    }
  }

  private static func useThreadsInTurn() async throws {
    let loop = try ProactorEventLoop()
    let all = try await runInThread(loop) { try await OperationsInFlight.start() }
    for _ in 0..<3 {
      try await runInThread(loop) { try await sleep(for: .zero) }
      #expect(all.allWait)
    }
    try await runInThread(loop) {
      try await all.finish()
      all.close()
    }
    try await inThread { try loop.close() }
  }

  @Test("close ends everything that is in flight with an error; a chunk that is held is still there")
  func closeWithAllInFlight() async {
    await #expect(processExitsWith: .success) {
      try await Self.closeAllInFlight()
      try await expectNoLeaks { try await Self.closeAllInFlight() }
    }
  }

  private static func closeAllInFlight() async throws {
    let loop = try ProactorEventLoop()
    let all = try await runInThread(loop) { try await OperationsInFlight.start() }
    try await inThread { try loop.close() }
    #expect(await all.outcomes() == Array(repeating: "closed", count: 6))
    #expect(!all.holding.isDone, "its closure has not returned")
    try await inThread { _ = all.release.yield() }
    let error = try await failure(EventLoopError.self) { _ = try await all.holding.get() }
    #expect(error.code == .closed, "the chunk was read, and there is no next one")
    all.close()
  }

  @Test("Two loops run in two threads at once")
  func twoLoops() async throws {
    let ready = Counter()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<2 {
        group.addTask { try await Self.exchangeOnLoop(ready) }
      }
      for try await count in group { #expect(count == 2000) }
    }
  }

  private static func exchangeOnLoop(_ ready: Counter) async throws -> Int {
    let loop = try ProactorEventLoop()
    defer { try? loop.close() }
    return try await runInThread(loop) {
      ready.add(1)
      while ready.value < 2 { await Task.yield() }
      return try await exchange(2000)
    }
  }

  private static func exchange(_ count: Int) async throws -> Int {
    let pair = try await StreamPair.make()
    defer { pair.close() }
    async let echo: Void = pair.far.forEachChunk { try await pair.far.write($0) }
    for number in 0..<count {
      try await pair.near.write(numbered(number..<number + 10))
      guard try await pair.near.readExactly(10) == numbered(number..<number + 10) else { return number }
    }
    try pair.near.writeEOF()
    try await echo
    return count
  }

  @Test("500 runs of one loop, with a read that waits through all of them, leave nothing")
  func manyRuns() async {
    await #expect(processExitsWith: .success) {
      try await Self.runOften(2)
      try await expectNoLeaks { try await Self.runOften(500) }
    }
  }

  private static func runOften(_ count: Int) async throws {
    let loop = try ProactorEventLoop()
    let (waiting, busy) = try await runInThread(loop) { (try await StreamPair.make(), try await StreamPair.make()) }
    let reading = try loop.createTask { try await waiting.near.readExactly(4) }
    for number in 0..<count {
      try await runInThread(loop) {
        try await busy.near.write(numbered(number..<number + 100))
        #expect(try await busy.far.readExactly(100) == numbered(number..<number + 100))
      }
    }
    try await runInThread(loop) { try await waiting.far.write("last") }
    let bytes = try await inThread { try loop.runUntilComplete(reading) }
    #expect(bytes == Array("last".utf8))
    waiting.close()
    busy.close()
    try loop.close()
  }

  @Test("Fork: the child makes a loop of its own, the parent's goes on")
  func fork() async throws {
    let program = try await HelperProgram.run("fork-proactor")
    #expect(program["child status"] == "0")
    #expect(program["child threw"] == nil)
    #expect(program["running in the child"] == "noRunningLoop")
    #expect(program["the parent's loop in the child"] == "alreadyRunning")
    #expect(program["fresh loop in the child"] == "io_uring: pong")
    for fact in ["parent's read across the fork", "parent's lent chunk", "parent's next run"] {
      #expect(program[fact] == "right", "\(fact)")
    }
  }
}

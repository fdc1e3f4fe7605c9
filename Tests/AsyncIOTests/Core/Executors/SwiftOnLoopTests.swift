import Testing

@testable import AsyncIO

/// Swift's concurrency on a loop that does not have the whole process: what runs on its thread.
@Suite struct SwiftOnLoopTests {
  /// True in the thread that runs the loop.
  private nonisolated func isHere(_ loop: BaseEventLoop) async -> Bool { loop.isRunningInThisThread }
  @concurrent private func isHereConcurrently(_ loop: BaseEventLoop) async -> Bool { loop.isRunningInThisThread }

  @Test("Task.sleep, groups, async let, yields and concurrent functions stay on the loop", arguments: LoopKind.allCases)
  func structured(kind: LoopKind) async throws {
    try await kind.run { loop in
      #expect(loop.isRunningInThisThread)
      try await Task.sleep(for: .milliseconds(1))
      #expect(loop.isRunningInThisThread)
      await Task.yield()
      #expect(loop.isRunningInThisThread)
      #expect(await isHere(loop))
      #expect(await isHereConcurrently(loop))
      async let child = isHereConcurrently(loop)
      #expect(await child)
      let all = try await withThrowingTaskGroup(of: Bool.self) { group in
        for i in 0..<50 {
          group.addTask {
            try await Task.sleep(for: .microseconds(i))
            try await sleep(for: .microseconds(50 - i))
            return loop.isRunningInThisThread
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(all == Array(repeating: true, count: 50))
      #expect(loop.isRunningInThisThread)
    }
  }

  @Test("A cancelled Task.sleep ends at once", arguments: LoopKind.allCases)
  func cancelledTaskSleep(kind: LoopKind) async throws {
    let start = ContinuousClock.now
    try await kind.run { loop in
      let task = try loop.createTask { try await Task.sleep(for: .seconds(3600)) }
      while loop.scheduledTimerCount == 0 { try await sleep(for: .zero) }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.get() }
    }
    #expect(ContinuousClock.now - start < .seconds(600))
  }

  @Test("What leaves the loop comes back: the main actor, detached tasks, other loops", arguments: LoopKind.allCases)
  func leavingAndComingBack(kind: LoopKind) async throws {
    try await kind.run { loop in
      #expect(await Task.detached { !loop.isRunningInThisThread }.value)
      #expect(loop.isRunningInThisThread)
      let other = try kind.makeLoop()
      #expect(try await other.run { other.isRunningInThisThread && !loop.isRunningInThisThread })
      #expect(loop.isRunningInThisThread)
      try other.close()
      let group = Ledger()
      #expect(await group.isOn(loop), "a default actor serves where it is called from")
      #expect(loop.isRunningInThisThread)
    }
  }

  @Test("An actor pinned to a loop runs there, regardless of its caller", arguments: LoopKind.allCases)
  func pinnedActor(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let pinned = PinnedCounter(loop)
    try await loop.run {
      // Callers from the pool, from the loop, and from the main actor.
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask { for _ in 0..<250 { await pinned.add() } }
          group.addTask(executorPreference: globalConcurrentExecutor) { for _ in 0..<250 { await pinned.add() } }
        }
      }
      #expect(await pinned.total == 2000)
      #expect(await pinned.wasElsewhere == false)
    }
    try loop.close()
  }

  @Test("A pinned actor sleeps and suspends on its loop without a task that prefers it", arguments: LoopKind.allCases)
  func pinnedWithoutPreference(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let pinned = PinnedCounter(loop)
    let runner = TestThread { try? loop.runForever() }
    #expect(try await Task.detached { try await pinned.sleepAndTell() }.value)
    loop.stop()
    await withUnsafeContinuation { done in
      startThread {
        runner.join(); done.resume()
      }
    }
    #expect(loop.scheduledTimerCount == 0)
    try loop.close()
  }

  @Test("assumeIsolated works in plain callbacks of the loop", arguments: LoopKind.allCases)
  func assumeIsolated(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pinned = PinnedCounter(loop)
      let pair = try SocketPair()
      let totals = Recorder<Int>()
      try loop.callSoon {
        totals.record(pinned.assumeIsolated { $0.addNow() })
        try loop.callLater(.zero) {
          totals.record(pinned.assumeIsolated { $0.addNow() })
          pair.write(1, to: pair.b)
        }
      }
      try loop.addReader(pair.a) {
        totals.record(pinned.assumeIsolated { $0.addNow() })
        loop.stop()
      }
      try loop.runForever()
      #expect(totals.all == [1, 2, 3])
    }
  }

  @Test("assumeIsolated off the loop's thread ends the process")
  func assumeIsolatedElsewhere() async {
    await #expect(processExitsWith: .failure) {
      let loop = try SelectorEventLoop()
      let pinned = PinnedCounter(loop)
      addAssumingIsolation(pinned)
    }
  }

  @Test("A loop made in one thread runs in a second and again in a third", arguments: LoopKind.allCases)
  func threeThreads(kind: LoopKind) async throws {
    let loop = try await inThread { try kind.makeLoop() }
    let numbers = Recorder<Int64>()
    let pinned = PinnedCounter(loop)
    for run in 1...2 {
      let here = try await inThread {
        try loop.run {
          try await sleep(for: .microseconds(10))
          numbers.record(threadNumber())
          await pinned.add()
          #expect(await pinned.total == run)
          return threadNumber()
        }
      }
      #expect(numbers.all.last == here)
    }
    #expect(await pinnedStaysReadable(pinned, loop) == 2)
    try await inThread { try loop.close() }
  }

  private func pinnedStaysReadable(_ pinned: PinnedCounter, _ loop: BaseEventLoop) async -> Int {
    (try? await loop.run { await pinned.total }) ?? -1
  }
}

private func addAssumingIsolation(_ counter: PinnedCounter) { _ = counter.assumeIsolated { $0.addNow() } }

/// A default actor.
private actor Ledger {
  func isOn(_ loop: BaseEventLoop) -> Bool { loop.isRunningInThisThread }
}

/// An actor that lives on a loop.
actor PinnedCounter {
  private nonisolated let loop: BaseEventLoop
  private(set) var total = 0
  private(set) var wasElsewhere = false

  init(_ loop: BaseEventLoop) { self.loop = loop }

  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

  func add() { _ = addNow() }

  func addNow() -> Int {
    if !loop.isRunningInThisThread { wasElsewhere = true }
    total += 1
    return total
  }

  func sleepAndTell() async throws -> Bool {
    try await AsyncIO.sleep(for: .milliseconds(1))
    guard loop.isRunningInThisThread else { return false }
    await Task.yield()
    guard loop.isRunningInThisThread else { return false }
    return try await withTimeout(.seconds(60)) { loop.isRunningInThisThread }
  }
}

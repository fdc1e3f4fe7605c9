import Logging
import Testing

@testable import AsyncIO

/// Blocking work on threads: lines 143 to 147 of the conformance list.
@Suite struct RunInExecutorTests {
  struct Failure: Error, Equatable {}

  @Test("143: results and errors come back to the loop", arguments: LoopKind.allCases)
  func results(kind: LoopKind) async throws {
    try await kind.run { loop in
      let isElsewhere = try await loop.runInExecutor { !loop.isRunningInThisThread }.get()
      #expect(isElsewhere)
      #expect(loop.isRunningInThisThread)
      await #expect(throws: Failure()) { try await loop.runInExecutor { throw Failure() }.get() }
      let pool = ThreadPool(maximumThreads: 1)
      let names = try await loop.runInExecutor(pool) { "own pool" }.get()
      #expect(names == "own pool")
      pool.shutDown()
    }
  }

  @Test("143: work that blocks does not hold up the loop", arguments: LoopKind.allCases)
  func doesNotBlock(kind: LoopKind) async throws {
    try await kind.run { loop in
      let gate = Gate()
      let work = try loop.runInExecutor { gate.wait() }
      try await sleep(for: .milliseconds(1))
      #expect(!work.isDone)
      gate.open()
      try await work.get()
    }
  }

  @Test("144: work that is cancelled before it starts does not start", arguments: LoopKind.allCases)
  func cancelledInQueue(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pool = ThreadPool(maximumThreads: 1)
      let gate = Gate()
      let first = try loop.runInExecutor(pool) { gate.wait() }
      let second = try loop.runInExecutor(pool) { Issue.record("cancelled, and started") }
      #expect(second.cancel())
      gate.open()
      try await first.get()
      try await loop.runInExecutor(pool) {}.get()
      pool.shutDown()
    }
  }

  @Test("145: a shutdown with a limit gives up with a warning", arguments: LoopKind.allCases)
  func shutdownWithLimit(kind: LoopKind) async throws {
    try await kind.run { loop in
      let log = CapturedLog(of: loop)
      let gate = Gate()
      let work = try loop.runInExecutor { gate.wait() }
      await loop.shutdownDefaultExecutor(timeout: .milliseconds(2))
      #expect(log.entries.map(\.level) == [.warning])
      #expect(!work.isDone)
      #expect(loop.scheduledTimerCount == 0)
      gate.open()
      try await work.get()
    }
  }

  @Test("145: a shutdown whose task is cancelled waits no longer, and says nothing wrong", arguments: LoopKind.allCases)
  func shutdownCancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let log = CapturedLog(of: loop)
      let gate = Gate()
      let work = try loop.runInExecutor { gate.wait() }
      let shutdown = try loop.createTask { await loop.shutdownDefaultExecutor(timeout: .seconds(3600)) }
      while loop.scheduledTimerCount == 0 { try await sleep(for: .zero) }
      shutdown.cancel()
      try await shutdown.get()
      #expect(log.entries.isEmpty)
      #expect(loop.scheduledTimerCount == 0)
      gate.open()
      try await work.get()
    }
  }

  @Test("146: after the shutdown the default executor refuses, another pool does not", arguments: LoopKind.allCases)
  func afterShutdown(kind: LoopKind) async throws {
    try await kind.run { loop in
      await loop.shutdownDefaultExecutor(timeout: nil)
      expectRefusal(.executorShutDown) { try loop.runInExecutor {} }
      let pool = ThreadPool(maximumThreads: 1)
      try await loop.runInExecutor(pool) {}.get()
      pool.shutDown()
      expectRefusal(.executorShutDown) { try loop.runInExecutor(pool) {} }
    }
  }

  @Test("147: work that ends after its loop was closed hurts nobody", arguments: LoopKind.allCases)
  func closedBefore(kind: LoopKind) async throws {
    try await inThread {
      let gate = Gate()
      let ended = Gate()
      let future: Future<Int>
      do {
        let loop = try kind.makeLoop()
        future = try loop.runInExecutor {
          gate.wait()
          return 5
        }
        future.addDoneCallback { _ in Issue.record("a closed loop runs no callback") }
        try loop.close()
      }
      gate.open()
      TestThread {
        while !future.isDone { yieldProcessor() }
        ended.open()
      }.join()
      ended.wait()
      #expect(try future.result() == 5)
    }
  }

  @Test("A pool of short-lived threads loses no work", arguments: [1, 3])
  func shortLived(threads: Int) async {
    let pool = ThreadPool(maximumThreads: threads, idleTime: .microseconds(200))
    for round in 0..<3_000 {
      // The pauses are around the idle time, so that threads end in the middle of submits.
      let start = ContinuousClock.now
      while ContinuousClock.now - start < .microseconds(150 + round % 150) {}
      // A gate, not a continuation: a thread of the pool must not end while the test's task is on its way.
      let done = Gate()
      _ = pool.submit { done.open() }
      done.wait()
    }
    pool.shutDown()
    await withUnsafeContinuation { ended in pool.notifyWhenEnded { ended.resume() } }
  }

  @Test("The queue of a pool that always has work keeps no places of work that is done")
  func busyQueue() async {
    let pool = ThreadPool(maximumThreads: 1, idleTime: .seconds(1))
    let seen = Lock((done: 0, most: 0))
    let end = Gate()
    // Two pieces take turns: while one runs, the other waits, so the queue is never empty.
    @Sendable func piece() {
      let places = pool.queuePlaces
      let done = seen.withLock { seen in
        seen.most = max(seen.most, places)
        seen.done += 1
        return seen.done
      }
      if done < 10_000 { _ = pool.submit { piece() } } else { end.open() }
    }
    let started = Gate()
    _ = pool.submit { started.wait() }
    for _ in 0..<2 { _ = pool.submit { piece() } }
    started.open()
    end.wait()
    pool.shutDown()
    await withUnsafeContinuation { ended in pool.notifyWhenEnded { ended.resume() } }
    #expect(seen.withLock { $0.most } < 1000)
  }
}

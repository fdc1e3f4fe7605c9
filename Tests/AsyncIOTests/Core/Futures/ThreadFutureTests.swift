import Synchronization
import Testing

@testable import AsyncIO

/// Tasks that a thread starts and waits for: line 55 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct ThreadFutureTests {
  private struct Failure: Error, Equatable {}

  /// Run a loop in a thread while the body runs in another one, then end and close it.
  private func withServingLoop<R: Sendable>(
    _ kind: LoopKind, _ body: @escaping @Sendable (BaseEventLoop) throws -> R
  ) async throws -> R {
    let loop = try kind.makeLoop()
    let serving = TestThread { #expect(throws: Never.self) { try loop.runForever() } }
    return try await inThread {
      defer {
        loop.stop()
        serving.join()
        try? loop.close()
      }
      return try body(loop)
    }
  }

  /// End when its task is cancelled.
  private static func waitForCancellation() async throws { try await sleep(for: .seconds(3600)) }

  @Test("D55: a wait that is over leaves the body alone, and may be repeated", arguments: LoopKind.allCases)
  func timeout(kind: LoopKind) async throws {
    try await withServingLoop(kind) { loop in
      let gate: Future<Int> = loop.createFuture()
      let future = try loop.runCoroutineThreadsafe { try await gate.get() }
      for limit in [Duration.seconds(-1), .zero, .milliseconds(2)] {
        let start = loop.time()
        let error = #expect(throws: TimeoutError.self) { try future.wait(timeout: limit) }
        #expect(error?.limit == limit)
        #expect(start.duration(to: loop.time()) >= limit, "never early")
      }
      #expect(!future.isDone && !future.isCancelled)
      try gate.setResult(3)
      #expect(try future.wait(timeout: .seconds(3600)) == 3)
    }
  }

  @Test("D55: several threads and a task may wait for one future", arguments: LoopKind.allCases)
  func manyWaiters(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let gate: Future<Int> = loop.createFuture()
    let future = try loop.runCoroutineThreadsafe { try await gate.get() }
    let values = Recorder<Int>()
    let threads = (0..<4).map { _ in TestThread { values.record((try? future.wait()) ?? -1) } }
    try await loop.run {
      try loop.callSoon { try gate.setResult(5) }
      #expect(try await future.get() == 5)
    }
    try await inThread { for thread in threads { thread.join() } }
    #expect(values.all == [5, 5, 5, 5])
    try loop.close()
  }

  @Test("D55: a thread that runs a loop, and a task, are refused instead of blocked", arguments: LoopKind.allCases)
  func refusedWait(kind: LoopKind) async throws {
    /// Without the compiler's knowledge that it is called in a task.
    @Sendable func wait(_ future: ThreadFuture<Int>) throws -> Int { try future.wait() }
    try await kind.withLoop { loop in
      let future = try loop.runCoroutineThreadsafe { 1 }
      let seen = Recorder<EventLoopError.Code?>()
      try loop.callSoon {
        seen.record(#expect(throws: EventLoopError.self) { try wait(future) }?.code)
        try loop.callSoon { loop.stop() }
      }
      try loop.runForever()
      #expect(try wait(future) == 1, "here no loop runs any more")
      try loop.run { seen.record(#expect(throws: EventLoopError.self) { try wait(future) }?.code) }
      #expect(seen.all == [.wouldBlock, .wouldBlock])
    }
    let loop = try kind.makeLoop()
    let future = try loop.runCoroutineThreadsafe { 1 }
    let error = #expect(throws: EventLoopError.self) { try wait(future) }
    #expect(error?.description.contains("inside a task") == true)
    try loop.close()
  }

  @Test("D55: a closed loop refuses", arguments: LoopKind.allCases)
  func closedLoop(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    try loop.close()
    expectRefusal(.closed) { try loop.runCoroutineThreadsafe { 1 } }
    #expect(loop.unfinishedTasks.isEmpty)
  }

  @Test("D55: a loop that closes first ends the wait, and does not begin the body", arguments: LoopKind.allCases)
  func closedWhileWaiting(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let events = Recorder<String>()
    let future = try loop.runCoroutineThreadsafe { events.record("body") }
    let codes = Recorder<EventLoopError.Code?>()
    let waiting = (0..<2).map { _ in
      TestThread { codes.record(#expect(throws: EventLoopError.self) { try future.wait() }?.code) }
    }
    async let awaited: EventLoopError = try failure(EventLoopError.self) { try await future.get() }
    try loop.close()
    try await inThread { for thread in waiting { thread.join() } }
    #expect(codes.all == [.closed, .closed])
    #expect(try await awaited.code == .closed)
    // The task goes on to its end elsewhere, without its body.
    while !loop.unfinishedTasks.isEmpty { await Task.yield() }
    #expect(events.all.isEmpty)
  }

  @Test("D55: a body that has begun is cancelled when its loop closes", arguments: LoopKind.allCases)
  func closedWhileRunning(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let events = Recorder<String>()
    let pending: Future<Void> = loop.createFuture()
    let future = try loop.runCoroutineThreadsafe {
      // Nobody completes it: only a cancellation ends this wait.
      do { try await pending.get() } catch is CancellationError { events.record("cancelled") }
    }
    try await loop.run { try await sleep(for: .zero) }
    try loop.close()
    let code = try await inThread { #expect(throws: EventLoopError.self) { try future.wait() }?.code }
    #expect(code == .closed)
    while !loop.unfinishedTasks.isEmpty { await Task.yield() }
    #expect(events.all == ["cancelled"])
  }

  @Test("D55: threads that race with the close are refused or get an answer", arguments: LoopKind.allCases)
  func racingWithClose(kind: LoopKind) async throws {
    for _ in 0..<50 {
      let loop = try kind.makeLoop()
      loop.exceptionHandler = { _, _ in }  // told of tasks that the close finds pending
      let serving = TestThread { _ = try? loop.runForever() }
      let others = (0..<2).map { _ in
        TestThread {
          while true {
            do {
              #expect(try loop.runCoroutineThreadsafe { 1 }.wait() == 1)
            } catch {
              return #expect((error as? EventLoopError)?.code == .closed)
            }
          }
        }
      }
      try await inThread {
        // A stop that comes before the run lets it make one turn, and then it may be closed all the same.
        loop.stop()
        serving.join()
        try loop.close()
        for thread in others { thread.join() }
      }
      while !loop.unfinishedTasks.isEmpty { await Task.yield() }
    }
  }
}

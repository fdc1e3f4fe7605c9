import Testing

@testable import AsyncIO

/// What other threads may do to a running loop: honoured without debug mode, refused with it (line 54 of the
/// conformance list).
@Suite struct OtherThreadTests {
  /// Run the loop in this thread and the body in another one, until the body has ended.
  private func besides(
    _ loop: BaseEventLoop, _ body: @escaping @Sendable () throws -> Void
  ) throws {
    let failure = Recorder<any Error>()
    let running = Gate()
    try loop.callSoon { running.open() }
    let thread = TestThread {
      running.wait()
      do { try body() } catch { failure.record(error) }
      _ = try? loop.callSoonThreadsafe { loop.stop() }
    }
    try loop.runForever()
    thread.join()
    if let error = failure.all.first { throw error }
  }

  @Test("callSoon, callLater and callAt from another thread run on the loop", arguments: LoopKind.allCases)
  func scheduling(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let ran = Recorder<String>()
      try besides(loop) {
        let all = (0..<3).map { _ in Gate() }
        func note(_ index: Int, _ what: String) {
          #expect(loop.isRunningInThisThread)
          ran.record(what)
          all[index].open()
        }
        try loop.callLater(.milliseconds(2)) { note(0, "later") }
        try loop.callAt(loop.time()) { note(1, "at") }
        try loop.callSoon { note(2, "soon") }
        for gate in all { gate.wait() }
      }
      // In what order is the clock's business: a thread may take its two milliseconds between two of these calls.
      #expect(ran.all.sorted() == ["at", "later", "soon"])
    }
  }

  @Test("hazard E6: a timer from another thread shortens the wait that is going on", arguments: LoopKind.allCases)
  func shortensTheWait(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      try loop.callLater(.seconds(3600)) { Issue.record("an hour has passed") }
      try besides(loop) {
        let fired = Gate()
        try loop.callLater(.milliseconds(5)) { fired.open() }
        fired.wait()
      }
      #expect(loop.scheduledTimerCount == 1)
    }
  }

  @Test("createTask from another thread runs the task on the loop", arguments: LoopKind.allCases)
  func tasks(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      try besides(loop) {
        let done = Gate()
        let task = try loop.createTask { () -> Bool in
          try await sleep(for: .microseconds(10))
          return loop.isRunningInThisThread
        }
        task.addDoneCallback { _ in done.open() }
        done.wait()
        #expect(try task.result())
      }
    }
  }

  @Test("stop from another thread ends the wait", arguments: LoopKind.allCases)
  func stopping(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let running = Gate()
      try loop.callSoon { running.open() }
      let thread = TestThread {
        running.wait()
        loop.stop()
      }
      try loop.runForever()
      thread.join()
    }
  }

  @Test("A timer that another thread cancels never runs and leaves the heap", arguments: LoopKind.allCases)
  func cancelling(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      weak var canary: Canary?
      let timers: [TimerHandle]
      do {
        let captured = Canary()
        canary = captured
        timers = try (0..<50).map { i in
          try loop.callLater(.seconds(3600 + i)) { Issue.record("a cancelled timer ran: \(captured)") }
        }
      }
      try besides(loop) {
        for timer in timers { timer.cancel() }
        let settled = Gate()
        try loop.callSoonThreadsafe { settled.open() }
        settled.wait()
      }
      #expect(canary == nil)
      #expect(timers.allSatisfy { $0.isCancelled })
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test(
    "A timer that its own thread cancels before the loop has seen it never enters the heap",
    arguments: LoopKind.allCases)
  func cancelledOnTheWay(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      try loop.callLater(.milliseconds(1)) { Issue.record("a cancelled timer ran") }.cancel()
      try loop.callLater(.milliseconds(3)) { loop.stop() }
      try loop.runForever()
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Watches belong to the loop's thread, in release builds too", arguments: LoopKind.allCases)
  func watches(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      try besides(loop) {
        expectRefusal(.wrongThread) { try loop.addReader(pair.a) {} }
        expectRefusal(.wrongThread) { try loop.addWriter(pair.a) {} }
        expectRefusal(.wrongThread) { try loop.removeReader(pair.a) }
      }
      #expect(loop.watches.isEmpty)
    }
  }

  @Test("D54: a loop that nobody runs may be set up from anywhere, even in debug mode", arguments: LoopKind.allCases)
  func debugModeWhileIdle(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      loop.isDebug = true
      let order = Recorder<Int>()
      try loop.callSoon { order.record(1) }
      TestThread { _ = try? loop.callSoon { order.record(2) } }.join()
      try loop.callSoon {
        order.record(3)
        loop.stop()
      }
      try loop.runForever()
      #expect(order.all == [1, 2, 3])
    }
  }
}

import Testing

@testable import AsyncIO

/// Calls from other threads: lines 48 to 53 of the conformance list.
@Suite struct ThreadSafeCallTests {
  @Test("D48: a call from another thread wakes a loop that waits without limit", arguments: LoopKind.allCases)
  func wakes(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let caller = TestThread {
        while !loop.isRunning { yieldProcessor() }
        for i in 0..<100 {
          let done = Gate()
          _ = try? loop.callSoonThreadsafe {
            done.open()
            if i == 99 { loop.stop() }
          }
          done.wait()  // the loop goes to sleep again
        }
      }
      try loop.runForever()
      caller.join()
    }
  }

  @Test("D49: 4 threads, 100,000 calls each: all run once, in each thread's order", arguments: LoopKind.allCases)
  func manyCalls(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let count = 100_000
      let tally = Tally(threads: 4)
      let threads = (0..<4).map { thread in
        TestThread {
          for i in 0..<count {
            _ = try? loop.callSoonThreadsafe {
              tally.note(thread, i)
              if tally.total == 4 * count { loop.stop() }
            }
          }
        }
      }
      try loop.runForever()
      for thread in threads { thread.join() }
      #expect(tally.next == [count, count, count, count])
      #expect(tally.disorder == 0)
    }
  }

  @Test("D50: a call that its producer cancels before it starts does not run", arguments: LoopKind.allCases)
  func cancelBeforeStart(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let ran = Recorder<String>()
      try loop.callSoon {
        TestThread {
          let handle = try? loop.callSoonThreadsafe { ran.record("cancelled") }
          handle?.cancel()
          #expect(handle?.isCancelled == true)
          _ = try? loop.callSoonThreadsafe {
            ran.record("kept")
            loop.stop()
          }
        }.join()
      }
      try loop.runForever()
      #expect(ran.all == ["kept"])
    }
  }

  @Test("D51: a cancel from another thread waits for the running callback", arguments: LoopKind.allCases)
  func cancelWaits(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<String>()
      let started = Gate()
      let cancelling = Gate()
      let handle = try loop.callSoonThreadsafe {
        started.open()
        cancelling.wait()
        for _ in 0..<1000 { yieldProcessor() }
        order.record("callback ended")
        loop.stop()
      }
      let canceller = TestThread {
        started.wait()
        cancelling.open()
        handle.cancel()
        order.record("cancel returned")
      }
      try loop.runForever()
      canceller.join()
      #expect(order.all == ["callback ended", "cancel returned"])
      #expect(!handle.isCancelled)
    }
  }

  @Test("D51: a callback may cancel its own handle", arguments: LoopKind.allCases)
  func cancelsItself(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let own = Recorder<Handle>()
      let ran = Recorder<Int>()
      try loop.callSoon {
        own.record(
          try loop.callSoonThreadsafe {
            own.all[0].cancel()
            ran.record(1)
            loop.stop()
          })
      }
      try loop.runForever()
      #expect(ran.all == [1])
    }
  }

  @Test("D52: calls that race with a close run or are refused, and never crash", arguments: LoopKind.allCases)
  func racingWithClose(kind: LoopKind) async throws {
    try await inThread {
      for _ in 0..<20 {
        let loop = try kind.makeLoop()
        let started = Gate()
        let callers = (0..<2).map { _ in
          TestThread {
            started.open()
            var refused: (any Error)?
            while refused == nil {
              do {
                try loop.callSoonThreadsafe {}
                try loop.callLater(.seconds(60)) {}.cancel()
              } catch { refused = error }
            }
            #expect((refused as? EventLoopError)?.code == .closed)
          }
        }
        started.wait()
        try loop.callSoonThreadsafe { loop.stop() }
        try loop.runForever()
        try loop.close()
        for caller in callers { caller.join() }
        expectRefusal(.closed) { try loop.callSoonThreadsafe {} }
      }
    }
  }

  @Test("D52: a timer may be cancelled while its loop closes and goes away", arguments: LoopKind.allCases)
  func cancelRacingWithTheEnd(kind: LoopKind) async throws {
    try await inThread {
      for _ in 0..<100 {
        var timers: [TimerHandle] = []
        let ready = Gate()
        let canceller: TestThread
        do {
          let loop = try kind.makeLoop()
          timers = try (0..<20).map { try loop.callLater(.seconds($0)) {} }
          canceller = TestThread { [timers] in
            ready.open()
            for timer in timers { timer.cancel() }
          }
          ready.wait()
          try loop.close()
        }
        canceller.join()
        for timer in timers { timer.cancel() }
      }
    }
  }

  @Test("D53: more wake-ups than a pipe holds neither block nor get lost", arguments: LoopKind.allCases)
  func manyWakes(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      for _ in 0..<200_000 { loop.backend.wake() }
      let ran = Recorder<Int>()
      try loop.callLater(.milliseconds(5)) {
        ran.record(1)
        loop.stop()
      }
      try loop.runForever()
      #expect(ran.all == [1])
      #expect(loop.turnCount <= 4, "the wake-ups end one wait, not every wait")
    }
  }
}

/// Counts calls of numbered threads. Used in the loop's thread only, but for the reads after the run.
private final class Tally: @unchecked Sendable {
  private(set) var next: [Int]
  private(set) var disorder = 0
  private(set) var total = 0

  init(threads: Int) { next = Array(repeating: 0, count: threads) }

  func note(_ thread: Int, _ number: Int) {
    if next[thread] != number { disorder += 1 }
    next[thread] = number + 1
    total += 1
  }
}

import CAsyncIO
import Testing

@testable import AsyncIO

/// Timers: lines 38 to 41, 43, 44 and 47 of the conformance list.
@Suite struct TimerTests {
  @Test("C38: a cancelled timer never runs and releases its captures at once", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let ran = Recorder<Int>()
      try loop.callSoon {
        weak var canary: Canary?
        let timer: TimerHandle
        do {
          let captured = Canary()
          canary = captured
          timer = try loop.callLater(.milliseconds(1)) { [captured] in ran.record(captured === captured ? 1 : 2) }
        }
        #expect(canary != nil)
        timer.cancel()
        #expect(canary == nil)
        #expect(timer.isCancelled)
        #expect(loop.scheduledTimerCount == 0)
        timer.cancel()
        try loop.callLater(.milliseconds(3)) { loop.stop() }
      }
      try loop.runForever()
      #expect(ran.all.count == 0)
    }
  }

  @Test("C38: a timer that has fired cannot be cancelled and keeps its time", arguments: LoopKind.allCases)
  func fired(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let when = loop.time().advanced(by: .milliseconds(1))
      let timer = try loop.callAt(when) { loop.stop() }
      try loop.runForever()
      timer.cancel()
      #expect(!timer.isCancelled)
      #expect(timer.when == when)
    }
  }

  @Test("C39: a timer that cancels another due one in its turn prevents it", arguments: LoopKind.allCases)
  func cancelsDue(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let ran = Recorder<String>()
      try loop.callSoon {
        let when = loop.time()
        let victims = Recorder<TimerHandle>()
        try loop.callAt(when) {
          ran.record("first")
          for victim in victims.all { victim.cancel() }
        }
        victims.record(try loop.callAt(when) { ran.record("second") })
        try loop.callAt(when) {
          ran.record("third")
          loop.stop()
        }
      }
      try loop.runForever()
      #expect(ran.all == ["first", "third"])
    }
  }

  @Test("C40: cancelled timers are not kept", arguments: LoopKind.allCases)
  func reclaimed(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      var random = SplitMix(seed: 40)
      let order = (0..<200).shuffled(using: &random)
      try loop.callSoon {
        let timers = try (0..<200).map { try loop.callLater(.seconds(3600 + $0)) {} }
        for index in order.prefix(101) { timers[index].cancel() }
        #expect(loop.scheduledTimerCount == 99)
        // The pattern of one timeout per request.
        for _ in 0..<10_000 { try loop.callLater(.seconds(60)) {}.cancel() }
        #expect(loop.scheduledTimerCount == 99)
        loop.stop()
      }
      try loop.runForever()
    }
  }

  @Test("C41: NaN is refused", arguments: LoopKind.allCases)
  func notANumber(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      expectRefusal(.invalidArgument) { try loop.callLater(seconds: .nan) {} }
      expectRefusal(.invalidArgument) { try loop.callLater(seconds: -.nan) {} }
      expectRefusal(.invalidArgument) { try loop.callLater(seconds: .signalingNaN) {} }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("C41: infinite and huge delays never fire and overflow nothing", arguments: LoopKind.allCases)
  func infinity(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let ran = Recorder<Int>()
      try loop.callSoon {
        for seconds in [Double.infinity, 1e300, 9.3e9] {
          #expect(try loop.callLater(seconds: seconds) { ran.record(1) }.when == .distantFuture)
        }
        try loop.callLater(.seconds(Int64.max)) { ran.record(2) }
        try loop.callLater(.milliseconds(1 << 31)) { ran.record(3) }
        try loop.callAt(EventLoopInstant(nanoseconds: .max - 1)) { ran.record(4) }
        try loop.callAt(.distantFuture) { ran.record(5) }
        #expect(loop.scheduledTimerCount == 7)
        let turn = loop.turnCount
        try loop.callLater(.milliseconds(2)) {
          #expect(loop.turnCount - turn <= 3)
          loop.stop()
        }
      }
      try loop.runForever()
      #expect(ran.all.isEmpty)
    }
  }

  @Test("C41: endless negative delays are due at once", arguments: LoopKind.allCases)
  func negativeInfinity(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<Int>()
      try loop.callSoon {
        try loop.callLater(.zero) {
          order.record(2)
          loop.stop()
        }
        try loop.callLater(seconds: -.infinity) { order.record(1) }
      }
      try loop.runForever()
      #expect(order.all == [1, 2])
    }
  }

  @Test("C43: no timer fires early", arguments: LoopKind.allCases)
  func neverEarly(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      var random = SplitMix(seed: 43)
      let delays = (0..<200).map { _ in Int64.random(in: 0..<3_000_000, using: &random) }
      let early = Recorder<Int64>()
      let left = Recorder<Int>()
      try loop.callSoon {
        for delay in delays {
          let when = loop.time().advanced(by: .nanoseconds(delay))
          try loop.callAt(when) {
            let now = loop.time()
            if now < when { early.record(when.nanoseconds - now.nanoseconds) }
            left.record(1)
            if left.all.count == delays.count { loop.stop() }
          }
        }
      }
      try loop.runForever()
      #expect(early.all.isEmpty)
    }
  }

  @Test("C44: a wait of 200 microseconds is not rounded to a millisecond", arguments: LoopKind.allCases)
  func subMillisecond(kind: LoopKind) async throws {
    let best = try await kind.run { loop in
      var best = Int64.max
      // The machine may be busy, so the best of many counts: rounded up, none could be under a millisecond.
      for _ in 0..<200 where best > 800_000 {
        let start = loop.time()
        try await sleep(for: .microseconds(200))
        best = min(best, loop.time().nanoseconds - start.nanoseconds)
      }
      return best
    }
    #expect((200_000...800_000).contains(best))
  }

  @Test("C47: a delay counts from the call, also after a blocking callback", arguments: LoopKind.allCases)
  func afterBlocking(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let waited = Recorder<Int64>()
      try loop.callSoon {
        // Blocks the loop, as a callback should not.
        var pause = timespec(tv_sec: 0, tv_nsec: 30_000_000)
        nanosleep(&pause, nil)
        let start = loop.time()
        try loop.callLater(.milliseconds(10)) {
          waited.record(loop.time().nanoseconds - start.nanoseconds)
          loop.stop()
        }
      }
      try loop.runForever()
      #expect(waited.all[0] >= 10_000_000)
    }
  }
}

internal import AsyncIO

extension ConformanceSuite {
  /// Group C, timers.
  static let timerChecks: [ConformanceCheck] = [
    ConformanceCheck(34, "Zero and negative delays run once, in the next turn, the earlier deadline first") { subject in
      let loop = try subject.makeLoop()
      let turns = try TurnCounter(loop)
      let trail = Trail()
      try loop.callSoon {
        let now = turns.count
        try loop.callLater(.zero) { trail.mark("0 in \(turns.count - now)") }
        try loop.callLater(.seconds(-5)) { trail.mark("-5 in \(turns.count - now)") }
        try loop.stop(afterTurns: 4)
      }
      try loop.runForever()
      try subject.expect("order", trail, "-5 in 1 0 in 1")
    },
    ConformanceCheck(
      35, "Timers with one deadline run in the order in which they were set",
      deviation: "CPython runs timers with equal deadlines in the order that its heap happens to have."
    ) { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.callSoon {
        let when = loop.time().advanced(by: .milliseconds(1))
        for number in 0..<10 { try loop.callAt(when) { trail.mark(number) } }
        try loop.callAt(when.advanced(by: .milliseconds(1))) { loop.stop() }
      }
      try loop.runForever()
      try subject.expect("order", trail, "0 1 2 3 4 5 6 7 8 9")
    },
    ConformanceCheck(38, "A cancelled timer never runs, and releases its captures at once") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      let kept = Box<[Bool]>([])
      try loop.callSoon {
        weak var canary: Canary?
        let timer: TimerHandle
        do {
          let captured = Canary()
          canary = captured
          timer = try loop.callLater(.milliseconds(1)) { trail.mark("ran with \(captured)") }
        }
        let before = canary != nil
        timer.cancel()
        kept.value = [before, canary != nil, timer.isCancelled]
        timer.cancel()
        try loop.callLater(.milliseconds(5)) { loop.stop() }
      }
      try loop.runForever()
      try subject.expect("held before, held after, cancelled", kept.value, [true, false, true])
      try subject.expect("ran", trail, "nothing")
    },
    ConformanceCheck(39, "A timer that cancels another due one of its turn prevents it") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      let victim = Box<TimerHandle?>(nil)
      try loop.callSoon {
        let now = loop.time()
        // Deadlines that differ: the order of equal ones is another line.
        try loop.callAt(now.advanced(by: .microseconds(-3))) {
          trail.mark("first")
          victim.value?.cancel()
        }
        victim.value = try loop.callAt(now.advanced(by: .microseconds(-2))) { trail.mark("second") }
        try loop.callAt(now.advanced(by: .microseconds(-1))) {
          trail.mark("third")
          loop.stop()
        }
      }
      try loop.runForever()
      try subject.expect("ran", trail, "first third")
    },
    ConformanceCheck(40, "Of 200 timers, 101 of them cancelled, at most 99 are kept") { subject in
      let loop = try subject.makeLoop()
      let references = Box<[WeakTimer]>([])
      try loop.callSoon {
        let timers = try (0..<200).map { try loop.callLater(.seconds(3600 + $0 * 7 % 200)) {} }
        references.value = timers.map(WeakTimer.init)
        // Every other one, and one more.
        for index in Array(stride(from: 0, to: 200, by: 2)) + [1] { timers[index].cancel() }
      }
      try loop.run(turns: 3)
      let kept = references.value.count { $0.timer != nil }
      try subject.expect("at most 99 kept", kept <= 99)
    },
    ConformanceCheck(
      41, "A delay that is not a number is refused", facet: "nan",
      deviation: "CPython accepts NaN, which corrupts the order of its timers."
    ) { subject in
      let loop = try subject.makeLoop()
      try subject.expectRefusal("NaN", .invalidArgument) { try loop.callLater(seconds: .nan) {} }
      try subject.expectRefusal("signaling NaN", .invalidArgument) { try loop.callLater(seconds: .signalingNaN) {} }
    },
    ConformanceCheck(41, "Infinite and huge delays never fire and overflow nothing") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.callLater(seconds: .infinity) { trail.mark("infinity") }
      try loop.callLater(seconds: 1e300) { trail.mark("1e300") }
      try loop.callLater(.seconds(Int64.max)) { trail.mark("Int64.max") }
      try loop.callAt(.distantFuture) { trail.mark("distant future") }
      try loop.callLater(.milliseconds(2)) {
        trail.mark("2 ms")
        loop.stop()
      }
      try loop.runForever()
      try subject.expect("fired", trail, "2 ms")
    },
    ConformanceCheck(
      43, "No timer fires early",
      deviation: "CPython may fire a timer one tick of the clock early."
    ) { subject in
      let loop = try subject.makeLoop()
      let (early, left) = (Box(0), Box(200))
      for number in 0..<left.value {
        // Spread over three milliseconds, in no order.
        let when = loop.time().advanced(by: .nanoseconds(number * 7919 % 3_000_000))
        try loop.callAt(when) {
          if loop.time() < when { early.update { $0 += 1 } }
          if left.update({
            $0 -= 1; return $0
          }) == 0 {
            loop.stop()
          }
        }
      }
      try loop.runForever()
      try subject.expect("early", early.value, 0)
    },
    ConformanceCheck(
      44, "A sleep of 200 microseconds is not rounded up to a millisecond", capabilities: .subMillisecondWaits,
      deviation: "CPython rounds the waits of epoll and poll up to whole milliseconds."
    ) { subject in
      let best = try subject.run { loop in
        var best = Duration.seconds(1)
        // The machine may be busy, so the best of many counts: rounded up, none could be under a millisecond.
        for _ in 0..<300 where best > .microseconds(800) {
          let start = loop.time()
          try await sleep(for: .microseconds(200))
          best = min(best, start.duration(to: loop.time()))
        }
        return best
      }
      try subject.require(best >= .microseconds(200), "a sleep of 200 microseconds took \(best)")
      try subject.expect("under a millisecond", best < .milliseconds(1))
    },
    ConformanceCheck(45, "A loop that sleeps waits, and does not spin") { subject in
      let (used, slept) = try subject.run { loop in
        try await sleep(for: .zero)
        let (start, usedBefore) = (loop.time(), Process.threadTime)
        for _ in 0..<10 { try await sleep(for: .milliseconds(5)) }
        return (Process.threadTime - usedBefore, start.duration(to: loop.time()))
      }
      try subject.require(used * 2 < slept, "used \(used) of processor time to sleep for \(slept)")
      try subject.expect("slept", slept >= .milliseconds(50))
    },
    ConformanceCheck(47, "A delay counts from the call, even after a callback that blocked the loop") { subject in
      let loop = try subject.makeLoop()
      let waited = Box(Duration.zero)
      try loop.callSoon {
        Process.block(milliseconds: 30)
        let start = loop.time()
        try loop.callLater(.milliseconds(10)) {
          waited.value = start.duration(to: loop.time())
          loop.stop()
        }
      }
      try loop.runForever()
      try subject.expect("ten milliseconds from the call", waited.value >= .milliseconds(10))
    },
  ]
}

/// Shows whether a timer is still held.
private struct WeakTimer: Sendable {
  weak let timer: TimerHandle?
  init(_ timer: TimerHandle) { self.timer = timer }
}

import CAsyncIO
import Testing

@testable import AsyncIO

/// Timers: lines 38 to 41, 43, 44 and 47 of the conformance list.
@Suite struct TimerTests {
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

  @Test(
    "A timer that is rescheduled fires at its last time, once, behind the others of that time",
    arguments: LoopKind.allCases)
  func rescheduled(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<String>()
      try loop.callSoon {
        let now = loop.time()
        let early = now.advanced(by: .milliseconds(1))
        let late = now.advanced(by: .milliseconds(3))
        let put = try loop.callAt(early) { order.record("put off") }
        try loop.callAt(late) { order.record("late") }
        let moved = try loop.callAt(now.advanced(by: .seconds(3600))) { order.record("brought forward") }
        try #require(try put.reschedule(at: late))
        try #require(try moved.reschedule(at: early))
        #expect(put.when == late && moved.when == early)
        for _ in 0..<100 { try put.reschedule(at: late) }
        #expect(loop.scheduledTimerCount == 3)
        try loop.callAt(now.advanced(by: .milliseconds(4))) {
          let isMoved = try put.reschedule(at: late)
          #expect(!isMoved, "it has fired")
          #expect(order.all == ["brought forward", "late", "put off"])
          loop.stop()
        }
      }
      try loop.runForever()
    }
  }

  @Test("A cancelled timer is not rescheduled; another thread is refused", arguments: LoopKind.allCases)
  func notRescheduled(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      try loop.callSoon {
        let timer = try loop.callLater(.seconds(3600)) { Issue.record("cancelled, and ran") }
        TestThread {
          do {
            try timer.reschedule(at: timer.when)
            Issue.record("another thread moved a timer")
          } catch {
            #expect((error as? EventLoopError)?.code == .wrongThread)
          }
        }.join()
        timer.cancel()
        let isMoved = try timer.reschedule(at: loop.time())
        #expect(!isMoved)
        try loop.callLater(.milliseconds(1)) { loop.stop() }
      }
      try loop.runForever()
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
}

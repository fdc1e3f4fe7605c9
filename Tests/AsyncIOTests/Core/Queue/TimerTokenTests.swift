import Testing

@testable import AsyncIO

/// Timers that are values.
@Suite struct TimerTokenTests {
  /// Run the body in the loop's thread, and the loop until it stops.
  private func withRunning(
    _ kind: LoopKind, _ body: @escaping @Sendable (BaseEventLoop) throws -> Void
  ) async throws {
    try await kind.withLoop { loop in
      let failure = Recorder<any Error>()
      try loop.callSoon {
        do { try body(loop) } catch {
          failure.record(error)
          loop.stop()
        }
      }
      try loop.runForever()
      if let error = failure.all.first { throw error }
    }
  }

  @Test("They fire in one order with timers that are objects", arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    let order = Recorder<Int>()
    try await withRunning(kind) { loop in
      let when = loop.time().advanced(by: .milliseconds(1))
      for number in 0..<100 {
        let time = number % 3 == 0 ? when : when.advanced(by: .microseconds(10))
        if number % 2 == 0 {
          try loop.setTimer(at: time) { order.record(number) }
        } else {
          try loop.callAt(time) { order.record(number) }
        }
      }
      try loop.callAt(when.advanced(by: .milliseconds(1))) { loop.stop() }
    }
    #expect(order.all == (0..<100).filter { $0 % 3 == 0 } + (0..<100).filter { $0 % 3 != 0 })
  }

  @Test("A cancel before the callback wins, even when the timer is due", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    let ran = Recorder<String>()
    try await withRunning(kind) { loop in
      let now = loop.time()
      let early = try loop.setTimer(at: now.advanced(by: .seconds(3600))) { ran.record("early") }
      #expect(loop.cancels(early))
      #expect(!loop.cancels(early) && !loop.moves(early, to: now))
      let others = Recorder<TimerToken>()
      try loop.setTimer(at: now) {
        ran.record("first")
        for other in others.all { #expect(loop.cancels(other) && !loop.cancels(other)) }
        // Neither time has come for what comes now, nor is its place taken.
        try loop.setTimer(at: now) {
          ran.record("later")
          loop.stop()
        }
      }
      for _ in 0..<3 { others.record(try loop.setTimer(at: now) { ran.record("due") }) }
      let own = Recorder<TimerToken>()
      own.record(try loop.setTimer(at: now) { #expect(!loop.cancels(own.all[0]), "it has begun") })
    }
    #expect(ran.all == ["first", "later"])
  }

  @Test("A token names one timer for ever, even after a crowd has gone", arguments: LoopKind.allCases)
  func stale(kind: LoopKind) async throws {
    let fired = Recorder<Int>()
    try await withRunning(kind) { loop in
      let far = loop.time().advanced(by: .seconds(3600))
      var old: [TimerToken] = []
      for _ in 0..<3 {
        let crowd = try (0..<10_000).map { _ in try loop.setTimer(at: far) { fired.record(-1) } }
        for token in crowd { #expect(loop.cancels(token)) }
        #expect(loop.scheduledTimerCount == 0)
        old += crowd.prefix(100)
        loop.timers.giveMemoryBack()
      }
      #expect(Set(old).count == 300)
      let now = loop.time()
      for number in 0..<50 { try loop.setTimer(at: now) { fired.record(number) } }
      for token in old { #expect(!loop.cancels(token) && !loop.moves(token, to: far)) }
      try loop.setTimer(at: now) { loop.stop() }
    }
    #expect(fired.all == Array(0..<50))
  }

  @Test("Any order of calls does what a list of timers would", arguments: LoopKind.allCases, [1, 2, 3] as [UInt64])
  func model(kind: LoopKind, seed: UInt64) async throws {
    let fired = Recorder<Int>()
    let expected = Recorder<Int>()
    try await withRunning(kind) { loop in
      var random = SplitMix(seed: seed)
      let start = loop.time().advanced(by: .milliseconds(50))
      var model: [(number: Int, sequence: Int, time: Int)] = []
      var tokens: [TimerToken] = []
      for step in 0..<2000 {
        let time = Int.random(in: 0..<20, using: &random)
        let when = start.advanced(by: .microseconds(time))
        let number = tokens.isEmpty ? 0 : Int.random(in: tokens.indices, using: &random)
        let place = model.firstIndex { $0.number == number }
        switch Int.random(in: 0..<4, using: &random) {
        case 0 where !tokens.isEmpty:
          #expect(loop.cancels(tokens[number]) == (place != nil))
          if let place { model.remove(at: place) }
        case 1 where !tokens.isEmpty:
          #expect(loop.moves(tokens[number], to: when) == (place != nil))
          if let place { model[place] = (number, step, time) }
        default:
          let number = tokens.count
          tokens.append(try loop.setTimer(at: when) { fired.record(number) })
          model.append((number, step, time))
        }
      }
      model.sort { ($0.time, $0.sequence) < ($1.time, $1.sequence) }
      for timer in model { expected.record(timer.number) }
      try loop.setTimer(at: start.advanced(by: .milliseconds(1))) { loop.stop() }
    }
    #expect(fired.all == expected.all)
  }

  @Test("Bad calls say what is wrong, and what a timer captured goes with the loop", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    final class Captured: Sendable {}
    weak let captured: Captured?
    do {
      let object = Captured()
      captured = object
      let kept = Recorder<TimerToken>()
      try await withRunning(kind) { loop in
        kept.record(try loop.setTimer(at: loop.time().advanced(by: .seconds(3600))) { withExtendedLifetime(object) {} })
        try loop.setTimer(at: loop.time()) { loop.stop() }
      }
      try await withRunning(kind) { loop in
        #expect(throws: EventLoopError.self) { try loop.cancelTimer(kept.all[0]) }
        #expect(throws: EventLoopError.self) { try loop.moveTimer(kept.all[0], to: loop.time()) }
        loop.stop()
      }
      try await inThread {
        let loop = try kind.makeLoop()
        let error = #expect(throws: EventLoopError.self) { try loop.setTimer(at: loop.time()) {} }
        #expect(error?.code == .wrongThread)
        try loop.close()
        let closed = #expect(throws: EventLoopError.self) { try loop.setTimer(at: loop.time()) {} }
        #expect(closed?.code == .closed)
      }
    }
    // A thread lets go of its body after it has told of the end.
    for _ in 0..<10_000 where captured != nil { try await Task.sleep(for: .milliseconds(1)) }
    #expect(captured == nil)
  }

  @Test("What fails is told, and what a timer captured may use the loop as it goes", arguments: LoopKind.allCases)
  func failing(kind: LoopKind) async throws {
    /// Right because only the loop's thread uses it.
    final class Canceller: @unchecked Sendable {
      let loop: BaseEventLoop
      var other: TimerToken?
      init(_ loop: BaseEventLoop) { self.loop = loop }
      deinit { if let other { _ = try? loop.cancelTimer(other) } }
    }
    let told = Recorder<String>()
    try await withRunning(kind) { loop in
      loop.exceptionHandler = { _, context in told.record("\(context.exception.map { type(of: $0) }, default: "")") }
      let now = loop.time()
      let canceller = Canceller(loop)
      let first = try loop.setTimer(at: now.advanced(by: .seconds(1))) { [canceller] in
        withExtendedLifetime(canceller) {}
      }
      canceller.other = try loop.setTimer(at: now.advanced(by: .seconds(2))) { told.record("not cancelled") }
      #expect(loop.cancels(first))
      try loop.setTimer(at: now) { throw CancellationError() }
      try loop.setTimer(at: now) { loop.stop() }
    }
    #expect(told.all == ["CancellationError"])
  }
}

extension BaseEventLoop {
  fileprivate func cancels(_ timer: TimerToken) -> Bool {
    do { return try cancelTimer(timer) } catch {
      Issue.record(error)
      return false
    }
  }

  fileprivate func moves(_ timer: TimerToken, to when: EventLoopInstant) -> Bool {
    do { return try moveTimer(timer, to: when) } catch {
      Issue.record(error)
      return false
    }
  }
}

import Testing

@testable import AsyncIO

/// The order of callbacks: lines 32 to 37 and 42 of the conformance list.
@Suite struct SchedulingTests {
  @Test("C32: callbacks run in the order of the calls", arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<Int>()
      // Some before the run, by way of the inbox, some from inside, more than the queue's first size.
      for i in 0..<300 { try loop.callSoon { order.record(i) } }
      try loop.callSoon {
        for i in 300..<1000 { try loop.callSoon { order.record(i) } }
        try loop.callSoon { loop.stop() }
      }
      try loop.runForever()
      #expect(order.all == Array(0..<1000))
    }
  }

  @Test("C33: what a callback queues runs in the next turn, after a poll", arguments: LoopKind.allCases)
  func nextTurn(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let order = Recorder<String>()
      try loop.addReader(pair.a) {
        order.record("reader")
        pair.read(from: pair.a)
      }
      try loop.callSoon {
        let turn = loop.turnCount
        try loop.callSoon {
          order.record("queued")
          #expect(loop.turnCount == turn + 1)
          loop.stop()
        }
        pair.write(1, to: pair.b)
      }
      try loop.runForever()
      #expect(order.all == ["queued", "reader"])
    }
  }

  @Test("C33: a callback that queues itself does not keep I/O out", arguments: LoopKind.allCases)
  func selfQueueing(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let spinner = Repeater()
      let rounds = Recorder<Int>()
      try loop.addReader(pair.a) { loop.stop() }
      spinner.start(on: loop) {
        rounds.record(1)
        if rounds.all.count == 5 { pair.write(1, to: pair.b) }
      }
      try loop.runForever()
      #expect(rounds.all.count <= 7)
      spinner.end()
    }
  }

  @Test("C34: zero and negative delays run once, in the next turn, the earlier first", arguments: LoopKind.allCases)
  func negativeDelays(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<String>()
      try loop.callSoon {
        let turn = loop.turnCount
        try loop.callLater(.zero) { order.record("0 in \(loop.turnCount - turn)") }
        try loop.callLater(.seconds(-5)) { order.record("-5 in \(loop.turnCount - turn)") }
        try loop.callSoon { try loop.callSoon { try loop.callSoon { loop.stop() } } }
      }
      try loop.runForever()
      #expect(order.all == ["-5 in 1", "0 in 1"])
    }
  }

  @Test("C35: ten timers with one deadline keep insertion order", arguments: LoopKind.allCases)
  func ties(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<Int>()
      try loop.callSoon {
        let when = loop.time().advanced(by: .milliseconds(1))
        for i in 0..<10 { try loop.callAt(when) { order.record(i) } }
        try loop.callAt(when) { loop.stop() }
      }
      try loop.runForever()
      #expect(order.all == Array(0..<10))
    }
  }

  @Test("C36: in one turn come callbacks, then descriptors, then timers", arguments: LoopKind.allCases)
  func phases(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let order = Recorder<String>()
      try loop.callSoon {
        let turn = loop.turnCount
        func note(_ what: String) { order.record("\(what) \(loop.turnCount - turn)") }
        try loop.callLater(.zero) { note("timer") }
        pair.write(1, to: pair.b)
        try loop.addReader(pair.a) {
          note("reader")
          pair.read(from: pair.a)
        }
        try loop.callSoon {
          note("soon")
          try loop.callSoon { loop.stop() }
        }
      }
      try loop.runForever()
      #expect(order.all == ["soon 1", "reader 1", "timer 1"])
    }
  }

  @Test("C37: the reader of a descriptor runs before its writer", arguments: LoopKind.allCases)
  func readerFirst(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let order = Recorder<String>()
      try loop.addWriter(pair.a) {
        order.record("writer")
        loop.stop()
      }
      try loop.addReader(pair.a) { order.record("reader") }
      pair.write(1, to: pair.b)
      try loop.runForever()
      #expect(order.all == ["reader", "writer"])
    }
  }

  @Test("C42: a sleep of zero takes exactly one turn", arguments: LoopKind.allCases)
  func sleepZero(kind: LoopKind) async throws {
    let turns = try await kind.run { loop in
      var turns: [UInt64] = []
      for duration in [Duration.zero, .seconds(-1), .zero] {
        let before = loop.turnCount
        try await sleep(for: duration)
        turns.append(loop.turnCount - before)
      }
      return turns
    }
    #expect(turns == [1, 1, 1])
  }

  @Test("C45: ten tiny sleeps take a bounded number of turns", arguments: LoopKind.allCases)
  func tinySleeps(kind: LoopKind) async throws {
    let turns = try await kind.run { loop in
      let before = loop.turnCount
      for _ in 0..<10 { try await sleep(for: .microseconds(50)) }
      return loop.turnCount - before
    }
    #expect((10...30).contains(turns), "\(turns) turns: the loop spins instead of waiting")
  }

  @Test("C45: an idle loop makes no turns", arguments: LoopKind.allCases)
  func idle(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let turns = Recorder<UInt64>()
      try loop.callSoon {
        turns.record(loop.turnCount)
        try loop.callLater(.milliseconds(200)) {
          turns.record(loop.turnCount)
          loop.stop()
        }
      }
      try loop.runForever()
      #expect(turns.all[1] - turns.all[0] <= 2)
    }
  }
}

/// A callback that queues itself again until it is told to end.
private final class Repeater: @unchecked Sendable {
  // Right because it is used in the loop's thread, and outside only while nobody runs the loop.
  private var isEnded = false

  func start(on loop: BaseEventLoop, _ body: @escaping @Sendable () -> Void) {
    _ = try? loop.callSoon {
      if self.isEnded { return }
      body()
      self.start(on: loop, body)
    }
  }

  func end() { isEnded = true }
}

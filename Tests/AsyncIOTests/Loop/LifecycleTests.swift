import CAsyncIO
import Testing

@testable import AsyncIO

/// Runs, stops and their refusals: lines 19 to 25, 28 and 29 of the conformance list.
@Suite struct LifecycleTests {
  struct Problem: Error {}

  @Test("B19: stop ends the run after the turn; what it queued runs next time", arguments: LoopKind.allCases)
  func stopEndsTheTurn(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<String>()
      try loop.callSoon {
        order.record("a")
        loop.stop()
        try loop.callSoon {
          order.record("c")
          loop.stop()
        }
      }
      try loop.callSoon { order.record("b") }
      try loop.runForever()
      #expect(order.all == ["a", "b"])
      try loop.runForever()
      #expect(order.all == ["a", "b", "c"])
    }
  }

  @Test("B20: stop before a run makes one turn that does not wait", arguments: LoopKind.allCases)
  func stopBeforeRun(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let order = Recorder<String>()
      try loop.addReader(pair.a) { order.record("reader") }
      pair.write(1, to: pair.b)
      try loop.callSoon { order.record("soon") }
      loop.stop()
      let turns = loop.turnCount
      try loop.runForever()
      #expect(order.all == ["soon", "reader"])
      #expect(loop.turnCount == turns + 1)
      loop.stop()
      try loop.runForever()
      #expect(loop.turnCount == turns + 2, "nothing was ready, and yet it did not wait")
    }
  }

  @Test("B21: a loop stopped before its future is done says so and can run again", arguments: LoopKind.allCases)
  func stoppedBeforeCompletion(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let future = loop.createFuture(of: Int.self)
      try loop.callSoon { loop.stop() }
      expectRefusal(.stoppedBeforeCompletion) { try loop.runUntilComplete(future) }
      try loop.callSoon { try future.setResult(3) }
      #expect(try loop.runUntilComplete(future) == 3)
    }
  }

  @Test("B22: a future that was given up does not stop a later run", arguments: LoopKind.allCases)
  func orphanDoesNotStop(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let orphan = loop.createFuture(of: Int.self)
      try loop.callSoon { loop.stop() }
      expectRefusal(.stoppedBeforeCompletion) { try loop.runUntilComplete(orphan) }
      let other = loop.createFuture(of: Int.self)
      try loop.callSoon {
        try orphan.setResult(1)
        try loop.callSoon { try loop.callSoon { try other.setResult(2) } }
      }
      #expect(try loop.runUntilComplete(other) == 2)
    }
  }

  @Test("B22: nor does one that was done in the turn that stopped", arguments: LoopKind.allCases)
  func lateStopDoesNotStop(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let first = loop.createFuture(of: Int.self)
      try loop.callSoon {
        try first.setResult(1)
        loop.stop()
      }
      #expect(try loop.runUntilComplete(first) == 1)
      let second = loop.createFuture(of: Int.self)
      try loop.callSoon { try loop.callSoon { try loop.callSoon { try second.setResult(2) } } }
      #expect(try loop.runUntilComplete(second) == 2)
    }
  }

  @Test("B23: nested runs are refused and leave the outer one as it was", arguments: LoopKind.allCases)
  func nestedRuns(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let other = try kind.makeLoop()
      defer { try? other.close() }
      let bodies = Recorder<Int>()
      let refusals = Recorder<EventLoopError.Code>()
      func attempt(_ body: () throws -> Void) {
        do { try body() } catch { refusals.record((error as? EventLoopError)?.code ?? .invalidState) }
      }
      try loop.callSoon {
        for _ in 0..<2 {
          attempt { try loop.runForever() }
          attempt { try other.runForever() }
          attempt { _ = try loop.runUntilComplete(loop.createFuture(of: Int.self)) }
          attempt { _ = try other.runUntilComplete(other.createFuture(of: Int.self)) }
          attempt { try loop.run { bodies.record(1) } }
          attempt { try other.run { bodies.record(2) } }
          #expect(try getRunningLoop() === loop)
          #expect(loop.isRunning && !other.isRunning)
        }
        try loop.callSoon { loop.stop() }
      }
      try loop.runForever()
      let expected: [EventLoopError.Code] = [
        .alreadyRunning, .anotherLoopRunning, .alreadyRunning, .anotherLoopRunning, .alreadyRunning,
        .anotherLoopRunning,
      ]
      #expect(refusals.all == expected + expected)
      // A refused run must leave nothing behind that a later run would find.
      try other.callSoon { try other.callSoon { other.stop() } }
      try other.runForever()
      #expect(bodies.all.isEmpty)
      expectRefusal(.noRunningLoop) { try getRunningLoop() }
    }
  }

  @Test("B24: a loop that runs in one thread is refused to another", arguments: LoopKind.allCases)
  func secondThread(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let runs = Gate()
      try loop.callSoon { runs.open() }
      let runner = TestThread { try? loop.runForever() }
      runs.wait()
      expectRefusal(.alreadyRunning) { try loop.runForever() }
      expectRefusal(.alreadyRunning) { try loop.run {} }
      #expect(loop.isRunning)
      loop.stop()
      runner.join()
      #expect(!loop.isRunning)
    }
  }

  @Test("B25: close is refused while running and may be repeated", arguments: LoopKind.allCases)
  func closing(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      try loop.callSoon {
        expectRefusal(.alreadyRunning) { try loop.close() }
        loop.stop()
      }
      try loop.runForever()
      #expect(!loop.isClosed)
      try loop.close()
      #expect(loop.isClosed)
      try loop.close()
    }
  }

  @Test("B28: a future of another loop is refused", arguments: LoopKind.allCases)
  func foreignFuture(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let other = try kind.makeLoop()
      defer { try? other.close() }
      let future = other.createFuture(of: Int.self)
      try future.setResult(1)
      expectRefusal(.foreignLoop) { try loop.runUntilComplete(future) }
      #expect(loop.turnCount == 0)
    }
  }

  @Test("B29: an interrupt leaves the run; the rest runs next time", arguments: LoopKind.allCases)
  func interrupt(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let order = Recorder<String>()
      try loop.callSoon { order.record("a") }
      try loop.callSoon { throw KeyboardInterrupt() }
      try loop.callSoon {
        order.record("b")
        loop.stop()
      }
      #expect(throws: KeyboardInterrupt()) { try loop.runForever() }
      #expect(order.all == ["a"])
      #expect(!loop.isRunning && !loop.isClosed)
      expectRefusal(.noRunningLoop) { try getRunningLoop() }
      try loop.runForever()
      #expect(order.all == ["a", "b"])
    }
  }
}

import Testing

@testable import AsyncIO

/// Limits with a deadline, and limits that their body moves.
@Suite(.timeLimit(.minutes(5))) struct MovableTimeoutTests {
  private struct Failure: Error, Equatable {}

  /// Both forms with a deadline.
  enum Form: String, CaseIterable, Sendable {
    case plain, movable

    func run<Value: Sendable>(
      at deadline: EventLoopInstant, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
      switch self {
      case .plain: try await withTimeout(at: deadline) { try await body() }
      case .movable: try await withTimeout(at: deadline) { _ in try await body() }
      }
    }
  }

  @Test("A deadline strikes when it has come, and leaves no timer", arguments: LoopKind.allCases, Form.allCases)
  func deadline(kind: LoopKind, form: Form) async throws {
    try await kind.run { loop in
      let deadline = loop.time().advanced(by: .milliseconds(2))
      let error = try await failure(TimeoutError.self) {
        try await form.run(at: deadline) { try await sleep(for: .seconds(3600)) }
      }
      // Zero if the loop was late already, as it may be on a busy machine.
      #expect(error.limit >= .zero && error.limit <= .milliseconds(2))
      #expect(loop.time() >= deadline)
      #expect(loop.scheduledTimerCount == 0 && !Task.isCancelled)
      #expect(try await form.run(at: loop.time().advanced(by: .seconds(3600))) { 7 } == 7)
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("A deadline that has passed never starts the body", arguments: LoopKind.allCases, Form.allCases)
  func passed(kind: LoopKind, form: Form) async throws {
    try await kind.run { loop in
      for deadline in [loop.time(), EventLoopInstant(nanoseconds: .min), EventLoopInstant(nanoseconds: 0)] {
        await #expect(throws: TimeoutError(limit: .zero)) {
          try await form.run(at: deadline) { Issue.record("it was started") }
        }
      }
      await #expect(throws: TimeoutError(limit: .zero)) {
        try await withTimeout(Duration?.some(.zero)) { _ in Issue.record("it was started") }
      }
    }
  }

  @Test("Far away is never", arguments: LoopKind.allCases)
  func farAway(kind: LoopKind) async throws {
    try await kind.run { loop in
      for far in [EventLoopInstant.distantFuture, EventLoopInstant(nanoseconds: .max - 1)] {
        #expect(try await withTimeout(at: far) { 1 } == 1)
        try await withTimeout(at: far) { timeout in
          #expect(timeout.deadline == far)
          try await sleep(for: .zero)
          #expect(timeout.reschedule(at: .distantFuture) && timeout.reschedule(after: .seconds(1e20)))
          #expect(timeout.deadline == .distantFuture)
          try await sleep(for: .zero)
          #expect(!timeout.isExpired)
        }
      }
    }
  }

  @Test("The body sees its limit, and what became of it", arguments: LoopKind.allCases)
  func state(kind: LoopKind) async throws {
    try await kind.run { loop in
      let seen = Recorder<Timeout>()
      let deadline = loop.time().advanced(by: .seconds(3600))
      try await withTimeout(at: deadline) { timeout in
        #expect(timeout.deadline == deadline && !timeout.isExpired)
        #expect("\(timeout)" == "Timeout at \(deadline) (running)")
        seen.record(timeout)
      }
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.milliseconds(1)) { timeout in
          seen.record(timeout)
          try await sleep(for: .seconds(3600))
        }
      }
      #expect(seen.all.map(\.isExpired) == [false, true])
      #expect("\(seen.all[0])".hasSuffix("(ended)") && "\(seen.all[1])".hasSuffix("(expired)"))
      // Too late for both: nothing happens, and that is said.
      for timeout in seen.all {
        let before = timeout.deadline
        #expect(!timeout.reschedule(at: nil) && !timeout.reschedule(after: .seconds(1)))
        #expect(timeout.deadline == before && before != nil)
      }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Without a limit nothing strikes, until one is set", arguments: LoopKind.allCases)
  func disabled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let none: Duration? = nil
      try await withTimeout(none) { timeout in
        #expect(timeout.deadline == nil && "\(timeout)" == "Timeout without a deadline (running)")
        try await sleep(for: .zero)
        #expect(loop.scheduledTimerCount == 0)
      }
      await #expect(throws: TimeoutError(limit: .milliseconds(2))) {
        try await withTimeout(at: nil) { timeout in
          timeout.reschedule(after: .milliseconds(2))
          try await sleep(for: .seconds(3600))
        }
      }
    }
  }

  @Test("A limit that was put off or taken away in time does not strike", arguments: LoopKind.allCases)
  func putOff(kind: LoopKind) async throws {
    try await kind.run { loop in
      for later in [EventLoopInstant.distantFuture, loop.time().advanced(by: .seconds(3600)), nil] {
        try await withTimeout(.seconds(3600)) { timeout in
          let first = loop.time().advanced(by: .microseconds(100))
          #expect(timeout.reschedule(at: first))
          while loop.time() < first {}
          // Its time has come, and no turn has been there to say so.
          #expect(timeout.reschedule(at: later))
          #expect(loop.scheduledTimerCount == (later == nil ? 0 : 1))
          for _ in 0..<3 { try await sleep(for: .zero) }
          #expect(!timeout.isExpired && timeout.deadline == later)
        }
      }
    }
  }

  @Test("An idle limit that is put off with every chunk strikes after the last one", arguments: LoopKind.allCases)
  func idle(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let received = Recorder<Int>()
      let began = near.loop.time()
      await #expect(throws: TimeoutError(limit: .milliseconds(20))) {
        try await withTimeout(.seconds(3600)) { timeout in
          for number in 0..<5 {
            try await far.write([UInt8(number)])
            received.record(try await near.read(upTo: 10).count)
            #expect(timeout.reschedule(after: number < 4 ? .seconds(3600) : .milliseconds(20)))
          }
          _ = try await near.read(upTo: 10)
        }
      }
      #expect(received.all == [1, 1, 1, 1, 1])
      #expect(began.duration(to: near.loop.time()) >= .milliseconds(20))
    }
  }

  @Test("Moved into the past it strikes in the next turn", arguments: LoopKind.allCases)
  func intoThePast(kind: LoopKind) async throws {
    try await kind.run { loop in
      for past in [EventLoopInstant(nanoseconds: .min), EventLoopInstant(nanoseconds: 0), loop.time()] {
        let turns = Recorder<UInt64>()
        await #expect(throws: TimeoutError(limit: .zero)) {
          try await withTimeout(.seconds(3600)) { timeout in
            turns.record(loop.turnCount)
            #expect(timeout.reschedule(at: past))
            #expect(!timeout.isExpired && !Task.isCancelled, "not inside the call")
            do { try await sleep(for: .seconds(3600)) } catch {
              turns.record(loop.turnCount)
              #expect(timeout.isExpired)
              throw error
            }
          }
        }
        #expect(turns.all.count == 2 && turns.all[1] - turns.all[0] <= 1)
      }
    }
  }

  @Test("A body that moves its limit too late ends by the limit all the same", arguments: LoopKind.allCases)
  func tooLate(kind: LoopKind) async throws {
    try await kind.run { loop in
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.milliseconds(1)) { timeout in
          while !timeout.isExpired { await Task.yield() }
          #expect(!timeout.reschedule(after: .seconds(3600)))
          try await sleep(for: .zero)
        }
      }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Other threads move a limit, to earlier and to later", arguments: LoopKind.allCases)
  func otherThreads(kind: LoopKind) async throws {
    try await kind.run { loop in
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.seconds(3600)) { timeout in
          #expect(try await inThread { timeout.reschedule(after: .milliseconds(2)) })
          try await sleep(for: .seconds(3600))
        }
      }
      try await withTimeout(.seconds(3600)) { timeout in
        for round in 0..<50 {
          let moved = try await inThread {
            // The last word counts, whatever is on its way to the loop.
            timeout.reschedule(after: .microseconds(Int64(round) * 10 + 200)) ? timeout.reschedule(at: nil) : false
          }
          guard moved else { break }
        }
      }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("A limit that was moved ends with its loop; one that was taken away does not", arguments: LoopKind.allCases)
  func closedLoop(kind: LoopKind) async throws {
    let ended = Recorder<String>()
    let event = Event()
    let tasks = try await kind.withLoop { loop in
      loop.exceptionHandler = { _, _ in }
      let tasks = try [true, false].map { hasLimit in
        try loop.createTask {
          do {
            try await withTimeout(.seconds(3600)) { timeout in
              timeout.reschedule(at: hasLimit ? loop.time().advanced(by: .seconds(3600)) : nil)
              do { try await event.wait() } catch {
                ended.record("\(timeout)".hasSuffix("(closed)") ? "body" : "\(timeout)")
                throw error
              }
            }
            ended.record("value")
          } catch let error as EventLoopError { ended.record("\(error.code)") }
        }
      }
      try loop.callSoon { try loop.callSoon { loop.stop() } }
      try loop.runForever()
      #expect(loop.scheduledTimerCount == 1)
      try loop.close()
      return tasks
    }
    try await tasks[0].get()
    #expect(ended.all == ["body", "closed"])
    event.set()
    try await tasks[1].get()
    #expect(ended.all == ["body", "closed", "value"])
  }

  @Test("A limit that is set after its loop was closed ends as closed", arguments: LoopKind.allCases)
  func afterClose(kind: LoopKind) async throws {
    let event = Event()
    let task = try await kind.withLoop { loop in
      loop.exceptionHandler = { _, _ in }
      let task = try loop.createTask {
        try await withTimeout(at: nil) { timeout in
          try await event.wait()
          timeout.reschedule(after: .seconds(3600))
          try await Event().wait()
        }
      }
      try loop.callSoon { try loop.callSoon { loop.stop() } }
      try loop.runForever()
      try loop.close()
      return task
    }
    event.set()
    let error = try await failure(EventLoopError.self) { try await task.get() }
    #expect(error.code == .closed)
  }
}

import Testing

@testable import AsyncIO
@testable import AsyncIOSimulation

/// Times that are a period apart.
@Suite(.timeLimit(.minutes(5)))
struct IntervalTests {
  @Test("Times are a period apart, and none comes early", arguments: LoopKind.allCases)
  func times(kind: LoopKind) async throws {
    try await kind.run { loop in
      var times: [EventLoopInstant] = []
      let start = loop.time().advanced(by: .milliseconds(2))
      for try await time in try interval(every: .milliseconds(2), from: start, missed: .catchUp) {
        #expect(loop.time() >= time)
        times.append(time)
        if times.count == 5 { break }
      }
      #expect(times == (0..<5).map { start.advanced(by: .milliseconds(2 * $0)) })
    }
  }

  /// The times of an interval of ten seconds whose work takes these many seconds.
  private func times(_ missed: MissedTicks, work: [Int]) async -> [Int] {
    let times = Recorder<Int>()
    let outcome = await playOne { world in
      let start = try getRunningLoop().time()
      var steps = work.makeIterator()
      for try await time in try interval(every: .seconds(10), missed: missed) {
        try world.require(try getRunningLoop().time() >= time, "it came early")
        times.record(Int(start.duration(to: time) / .seconds(1)))
        guard let step = steps.next() else { break }
        try await sleep(for: .seconds(step))
      }
    }
    if let failure = outcome.failure { Issue.record("\(failure)") }
    return times.all
  }

  @Test("Work that takes less than a period moves nothing", arguments: [MissedTicks.skip, .catchUp, .delay])
  func noDrift(missed: MissedTicks) async {
    #expect(await times(missed, work: [3, 9, 1, 0, 10]) == [0, 10, 20, 30, 40, 50])
  }

  @Test("What follows a time that was missed is a matter of choice")
  func missed() async {
    #expect(await times(.catchUp, work: [35, 0, 0, 0, 0]) == [0, 10, 20, 30, 40, 50])
    #expect(await times(.skip, work: [35, 0, 0, 0]) == [0, 10, 40, 50, 60])
    #expect(await times(.delay, work: [35, 0, 12, 0]) == [0, 10, 45, 55, 67])
  }

  @Test("No period and no time ends the process")
  func extremes() throws {
    for period in [Duration.zero, .seconds(-1), .seconds(Int64.min)] {
      expectRefusal(.invalidArgument) { try interval(every: period) }
    }
    let instants = [Int64.min, -1, 0, 1, Int64.max].map(EventLoopInstant.init(nanoseconds:))
    for missed in [MissedTicks.skip, .catchUp, .delay] {
      for period in [Int64(1), 10, .max] {
        for due in instants {
          for now in instants {
            var plan = TickPlan(period: period, missed: missed)
            plan.pass(due, askedAt: now)
            let next = try #require(plan.next)
            #expect(next > due || next == .distantFuture)
            if missed == .skip, now > due, due.duration(to: now) < .nanoseconds(Int64.max) {
              #expect(next > now || next == .distantFuture)
            }
          }
        }
      }
    }
  }

  @Test("A step that is cancelled leaves its time to the next one", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let waiting = try loop.createTask {
        for try await _ in try interval(every: .seconds(3600), from: .distantFuture) { Issue.record("never") }
      }
      for _ in 0..<3 { try await sleep(for: .zero) }
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.get() }
      var steps = try interval(every: .milliseconds(1)).makeAsyncIterator()
      let first = try #require(try await steps.next())
      await #expect(throws: TimeoutError.self) {
        // A limit that strikes in the next turn.
        try await withTimeout(.nanoseconds(1)) { _ = try await sleep(for: .seconds(3600)) }
      }
      #expect(try await steps.next() == first.advanced(by: .milliseconds(1)))
    }
  }
}

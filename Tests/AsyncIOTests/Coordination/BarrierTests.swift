import Testing

@testable import AsyncIO

/// `Barrier`.
@Suite(.timeLimit(.minutes(5)))
struct BarrierTests {
  @Test("A barrier lets its parties pass together, with their places", arguments: LoopKind.allCases)
  func barrier(kind: LoopKind) async throws {
    try await kind.run { loop in
      let barrier = try Barrier(3)
      for _ in 0..<2 {
        let tasks = try (0..<2).map { _ in try loop.createTask { try await barrier.wait() } }
        try await sleep(for: .zero)
        #expect(barrier.waitingCount == 2)
        let place = try await barrier.wait()
        #expect(try await gather(tasks) + [place] == [0, 1, 2])
        #expect(barrier.waitingCount == 0)
      }
      expectRefusal(.invalidArgument) { try Barrier(0) }
    }
  }

  @Test("A barrier that is reset or broken ends the waits; a cancelled party is missing", arguments: LoopKind.allCases)
  func brokenBarrier(kind: LoopKind) async throws {
    try await kind.run { loop in
      let barrier = try Barrier(2)
      func waiting() async throws -> LoopTask<Int> {
        let task = try loop.createTask { try await barrier.wait() }
        try await sleep(for: .zero)
        return task
      }
      var task = try await waiting()
      barrier.reset()
      await #expect(throws: BrokenBarrierError()) { try await task.get() }
      #expect(!barrier.isBroken)
      task = try await waiting()
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(barrier.waitingCount == 0)
      task = try await waiting()
      barrier.abort()
      await #expect(throws: BrokenBarrierError()) { try await task.get() }
      await #expect(throws: BrokenBarrierError()) { try await barrier.wait() }
      #expect(barrier.isBroken)
      barrier.reset()
      task = try await waiting()
      try await barrier.wait()
      #expect(try await task.get() == 0)
    }
  }

  /// Something that befalls a barrier while the parties that have passed it go on, one after the other.
  struct Event: Sendable, CustomTestStringConvertible {
    enum Kind: Sendable, CaseIterable { case reset, abort, cancel }
    var kind: Kind
    /// It comes from the party that goes on in this place; the first one finds all others on their way.
    var place: Int
    /// Whether the parties come again: those before the event wait already.
    var isAgain: Bool

    static let all = Kind.allCases.flatMap { kind in
      (0..<4).flatMap { place in [false, true].map { Event(kind: kind, place: place, isAgain: $0) } }
    }

    var testDescription: String { "\(kind) from the one in place \(place)\(isAgain ? ", and all come again" : "")" }

    /// Done by one of the parties. The last of them is the one that is cancelled.
    func strike(_ barrier: Barrier) {
      switch kind {
      case .reset: barrier.reset()
      case .abort: barrier.abort()
      case .cancel: break
      }
    }

    /// How the second waits end when two of them are missing at most, in the order in which the parties go on.
    var secondEnds: [String] {
      (0..<4).map { place in
        switch kind {
        case .reset: place < self.place ? "broken" : "passed"
        case .abort: "broken"
        case .cancel: place == 3 ? "cancelled" : "passed"
        }
      }
    }
  }

  @Test("A passed task has passed, no matter what happens before it resumes", arguments: LoopKind.allCases, Event.all)
  func leaving(kind: LoopKind, event: Event) async throws {
    try await kind.run { loop in
      let barrier = try Barrier(4)
      let passed = Recorder<Int>()
      let parties = Recorder<LoopTask<String>>()
      for _ in 0..<4 {
        parties.record(
          try loop.createTask {
            passed.record(try await barrier.wait())
            if passed.all.count == event.place + 1 {
              event.strike(barrier)
              // The last to come is the first to go on; of the others the third is the last.
              if event.kind == .cancel { parties.all[2].cancel() }
            }
            return event.isAgain ? try await Self.end(of: barrier) : "once"
          })
      }
      try await turnUntil { passed.all.count == 4 }
      #expect(passed.all == [3, 0, 1, 2])
      #expect(barrier.isBroken == (event.kind == .abort))
      // Those who are missing at the second time.
      let missing = event.isAgain ? event.secondEnds.count { $0 != "passed" } % 4 : 0
      try await turnUntil { barrier.waitingCount == (event.isAgain ? (4 - missing) % 4 : 0) }
      let others = try (0..<missing).map { _ in try loop.createTask { try await Self.end(of: barrier) } }
      let ends = try await gather([3, 0, 1, 2].map { parties.all[$0] } + others)
      let expected = event.isAgain ? event.secondEnds : Array(repeating: "once", count: 4)
      #expect(ends == expected + Array(repeating: "passed", count: missing))
      #expect(barrier.waitingCount == 0)
    }
  }

  private static func end(of barrier: Barrier) async throws -> String {
    do {
      try await barrier.wait()
      return "passed"
    } catch is BrokenBarrierError {
      return "broken"
    } catch is CancellationError {
      return "cancelled"
    }
  }

  @Test("A party that broke its barrier lets it be reset and filled anew", arguments: LoopKind.allCases)
  func brokenByParty(kind: LoopKind) async throws {
    try await kind.run { loop in
      struct Failure: Error {}
      let barrier = try Barrier(3)
      let again = try Barrier(3)
      let tasks = try (0..<3).map { number in
        try loop.createTask {
          do {
            try await barrier.wait()
            if number == 1 { throw Failure() }
            try await barrier.wait()
          } catch is Failure {
            barrier.abort()
          } catch is BrokenBarrierError {
            #expect(number != 1 && barrier.isBroken)
          }
          if try await again.wait() == 2 { barrier.reset() }
          try await again.wait()
          return try await barrier.wait()
        }
      }
      #expect(try await gather(tasks).sorted() == [0, 1, 2])
      #expect(!barrier.isBroken && barrier.waitingCount == 0)
    }
  }
}

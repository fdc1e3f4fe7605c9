import Testing

@testable import AsyncIO

/// The first of several bodies to finish wins.
@Suite(.timeLimit(.minutes(5)))
struct RaceTests {
  private struct Lost: Error, Equatable {}

  @Test("The first to finish wins; the others are cancelled and have ended", arguments: LoopKind.allCases, 0..<4)
  func winner(kind: LoopKind, winner: Int) async throws {
    try await kind.run { _ in
      let (event, ended) = (Event(), Recorder<Int>())
      @Sendable func run<Value: Sendable>(_ number: Int, _ value: Value) async throws -> Value {
        defer { ended.record(number) }
        if number == winner {
          try await sleep(for: .zero)
          return value
        }
        try await event.wait()
        return value
      }
      let won = try await race(
        { try await run(0, 1) }, { try await run(1, "two") }, { try await run(2, 3.0) }, { try await run(3, [4]) })
      switch won {
      case .first(let value): #expect(winner == 0 && value == 1)
      case .second(let value): #expect(winner == 1 && value == "two")
      case .third(let value): #expect(winner == 2 && value == 3.0)
      case .fourth(let value): #expect(winner == 3 && value == [4])
      }
      #expect(ended.all.first == winner && ended.all.sorted() == [0, 1, 2, 3])
    }
  }

  @Test("A loser that cannot be cancelled is awaited", arguments: LoopKind.allCases)
  func slowLoser(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (gate, hasEnded) = (Event(), Flag())
      let racing = try loop.createTask {
        try await race(
          { 1 },
          {
            try await withCancellationShield(atMost: .seconds(60)) { try await gate.wait() }
            hasEnded.set()
          })
      }
      for _ in 0..<5 { try await sleep(for: .zero) }
      #expect(!racing.isDone)
      gate.set()
      // Without the places that are not run, a switch of two is complete.
      switch try await racing.get() {
      case .first(let value): #expect(value == 1)
      case .second: Issue.record("the loser has won")
      }
      #expect(hasEnded.isSet)
    }
  }

  @Test("An error also finishes a race; that of a loser is dropped", arguments: LoopKind.allCases)
  func errors(kind: LoopKind) async throws {
    try await kind.run { _ in
      let isCancelled = Flag()
      await #expect(throws: Lost()) {
        _ = try await race(
          { () async throws -> Int in throw Lost() },
          {
            do { try await sleep(for: .seconds(3600)) } catch {
              isCancelled.set()
              throw error
            }
          }, { try await sleep(for: .seconds(3600)) })
      }
      #expect(isCancelled.isSet)
      let won = try await race(
        { 1 },
        { () async throws -> Int in
          try? await sleep(for: .seconds(3600))
          throw Lost()
        })
      guard case .first(1) = won else {
        Issue.record("another outcome")
        return
      }
    }
  }

  @Test("A cancellation from outside reaches all bodies, and they are awaited", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let running = Counter()
      @Sendable func wait() async throws {
        running.add(1)
        defer { running.add(-1) }
        try await sleep(for: .seconds(3600))
      }
      let racing = try loop.createTask { _ = try await race(wait, wait, wait) }
      try await turnUntil { running.value == 3 }
      racing.cancel()
      await #expect(throws: CancellationError.self) { try await racing.get() }
      #expect(running.value == 0)
    }
  }

  @Test("A body that returns all the same, when cancelled from outside, wins", arguments: LoopKind.allCases)
  func valueWins(kind: LoopKind) async throws {
    try await kind.run { loop in
      let hasBegun = Event()
      let racing = try loop.createTask {
        try await race(
          {
            hasBegun.set()
            try? await sleep(for: .seconds(3600))
            return 7
          }, { try? await sleep(for: .seconds(3600)) })
      }
      try await hasBegun.wait()
      racing.cancel()
      guard case .first(7) = try await racing.get() else {
        Issue.record("another outcome")
        return
      }
    }
  }

  @Test("Inside, the current task is the caller's", arguments: LoopKind.allCases)
  func currentTask(kind: LoopKind) async throws {
    try await kind.run { loop in
      let task = try loop.createTask(name: "racer") {
        try await race({ AsyncIO.currentTask()?.taskName }, { try await sleep(for: .seconds(3600)) })
      }
      guard case .first("racer") = try await task.get() else {
        Issue.record("another outcome")
        return
      }
    }
  }
}

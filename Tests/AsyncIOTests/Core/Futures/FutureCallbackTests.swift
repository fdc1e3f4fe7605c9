import Testing

@testable import AsyncIO

/// Callbacks of futures that are taken back, also by each other, and what a cancellation leaves to read.
@Suite(.timeLimit(.minutes(5)))
struct FutureCallbackTests {
  @Test(
    "A callback that removes others, or adds some, changes nothing for those that are queued",
    arguments: LoopKind.allCases)
  func callbacksThatRemove(kind: LoopKind) async throws {
    try await kind.run { loop in
      let future: Future<Int> = loop.createFuture()
      let notes = Recorder<String>()
      let tokens = Recorder<Future<Int>.CallbackToken>()
      future.addDoneCallback { future in
        notes.record("first")
        for token in tokens.all { notes.record("\(future.removeDoneCallback(token))") }
        future.addDoneCallback { _ in notes.record("added") }
      }
      for name in ["second", "third"] { tokens.record(future.addDoneCallback { _ in notes.record(name) }) }
      let removed = future.addDoneCallback { _ in notes.record("removed") }
      #expect(future.removeDoneCallback(removed))
      #expect(!future.removeDoneCallback(removed))
      try future.setResult(1)
      for _ in 0..<3 { try await sleep(for: .zero) }
      #expect(notes.all == ["first", "false", "false", "second", "third", "added"])
    }
  }

  /// Uses its future when it goes away.
  private final class Talkative: Sendable {
    private let future: Future<Int>
    private let notes: Recorder<Bool>
    init(_ future: Future<Int>, _ notes: Recorder<Bool>) { (self.future, self.notes) = (future, notes) }
    deinit { notes.record(future.isDone) }
  }

  @Test("What a removed callback captured may use the future while it goes away", arguments: LoopKind.allCases)
  func releaseOutsideOfTheLock(kind: LoopKind) async throws {
    try await kind.run { loop in
      let future: Future<Int> = loop.createFuture()
      let notes = Recorder<Bool>()
      func add() -> Future<Int>.CallbackToken {
        let talkative = Talkative(future, notes)
        return future.addDoneCallback { _ in withExtendedLifetime(talkative) {} }
      }
      let tokens = (0..<40).map { _ in add() }
      for token in tokens { #expect(future.removeDoneCallback(token)) }
      #expect(notes.all == Array(repeating: false, count: 40))
    }
  }

  @Test(
    "Of three callbacks those run that were not removed, whichever they are",
    arguments: [[], [0], [1], [2], [0, 1], [1, 0], [0, 2], [1, 2], [2, 1, 0]])
  func removed(which: [Int]) async throws {
    // Each way to be done tells its callbacks.
    for end in ["value", "error", "cancelled"] {
      try await LoopKind.poll.run { loop in
        let future: Future<Int> = loop.createFuture()
        let notes = Recorder<Int>()
        let tokens = (0..<3).map { number in future.addDoneCallback { _ in notes.record(number) } }
        for number in which { #expect(future.removeDoneCallback(tokens[number])) }
        for number in which { #expect(!future.removeDoneCallback(tokens[number])) }
        switch end {
        case "value": try future.setResult(1)
        case "error": try future.setException(QueueEmptyError())
        default: future.cancel()
        }
        #expect(notes.all == [], "none runs inside of the call")
        try await sleep(for: .zero)
        #expect(notes.all == [0, 1, 2].filter { !which.contains($0) })
        _ = try? future.result()
      }
    }
  }

  @Test(
    "The token of another future removes nothing, neither a callback nor a task that waits",
    arguments: LoopKind.allCases)
  func foreignToken(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (mine, other): (Future<Int>, Future<Int>) = (loop.createFuture(), loop.createFuture())
      let notes = Recorder<String>()
      let tokens = (0..<4).map { _ in other.addDoneCallback { _ in notes.record("other") } }
      mine.addDoneCallback { _ in notes.record("mine") }
      let task = try loop.createTask {
        let value = try await mine.get()
        notes.record("task")
        return value
      }
      try await sleep(for: .zero)
      let removed = mine.addDoneCallback { _ in notes.record("removed") }
      for token in tokens {
        #expect(token != removed)
        #expect(!mine.removeDoneCallback(token))
      }
      #expect(mine.removeDoneCallback(removed))
      try mine.setResult(7)
      #expect(try await task.get() == 7)
      #expect(notes.all == ["mine", "task"])
    }
  }

  @Test(
    "What a cancellation said can be read when its task was waited for", arguments: LoopKind.allCases,
    [nil, "my message"])
  func messageOfTheEnd(kind: LoopKind, message: String?) async throws {
    try await kind.run { loop in
      let task = try loop.createTask { try await sleep(for: .seconds(3600)) }
      let future: Future<Void> = loop.createFuture()
      try await sleep(for: .zero)
      task.cancel(message)
      future.cancel(message)
      let both: [Future<Void>] = [task, future]
      let (done, pending) = try await wait(for: both)
      #expect(done.count == 2 && pending.isEmpty)
      for ended in both {
        #expect(throws: CancellationError.self) { try ended.result() }
        #expect(throws: CancellationError.self) { try ended.exception() }
        #expect(ended.cancelMessage == message && ended.isCancelled)
      }
    }
  }
}

import Testing

@testable import AsyncIO

/// `withLoopTaskGroup`: line 167 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct TaskGroupTests {
  private struct Failure: Error, Equatable { var number: Int }

  private func numbers(_ error: any Error) -> [Int]? {
    (error as? TaskGroupError)?.errors.map { ($0 as? Failure)?.number ?? -1 }
  }

  @Test("A group waits for its tasks and gives the body's value", arguments: LoopKind.allCases)
  func value(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<Int>()
      let value = try await withLoopTaskGroup { group in
        for n in 0..<3 {
          try group.createTask {
            try await sleep(for: .zero)
            notes.record(n)
            if n == 2 { try group.createTask { notes.record(3) } }
          }
        }
        return "body"
      }
      #expect(value == "body" && notes.all.sorted() == [0, 1, 2, 3])
      #expect(try allTasks().count == 1)
    }
  }

  @Test("167: the first failure cancels the others and the body; all errors come in one", arguments: LoopKind.allCases)
  func failure(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      do {
        try await withLoopTaskGroup { group in
          try group.createTask {
            do { try await sleep(for: .seconds(3600)) } catch { throw Failure(number: 2) }
          }
          try group.createTask {
            do { try await sleep(for: .seconds(3600)) } catch {
              notes.record("sibling")
              throw error
            }
          }
          try group.createTask { throw Failure(number: 1) }
          do { try await sleep(for: .seconds(3600)) } catch {
            notes.record("body")
            expectRefusal(.invalidState) { try group.createTask {} }
            throw error
          }
        }
        Issue.record("expected a TaskGroupError")
      } catch { #expect(numbers(error) == [1, 2]) }
      #expect(notes.all.sorted() == ["body", "sibling"])
      #expect(!Task.isCancelled)
    }
  }

  @Test("An error of the body cancels the tasks and is one of the group's", arguments: LoopKind.allCases)
  func bodyFails(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      do {
        try await withLoopTaskGroup { group in
          let task = try group.createTask { try await sleep(for: .seconds(3600)) }
          try await sleep(for: .zero)
          task.addDoneCallback { notes.record($0.isCancelled ? "cancelled" : "not") }
          throw Failure(number: 7)
        }
      } catch { #expect(numbers(error) == [7]) }
      try await sleep(for: .zero)
      #expect(notes.all == ["cancelled"])
    }
  }

  @Test("167: a cancellation from outside stays one, errors or not", arguments: LoopKind.allCases)
  func outerCancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      for withError in [false, true] {
        let waiting = loop.createFuture(of: Void.self)
        let outer = try loop.createTask { () -> [Int] in
          do {
            try await withLoopTaskGroup { group in
              try group.createTask {
                do { try await waiting.get() } catch {
                  if withError { throw Failure(number: 3) }
                  throw error
                }
              }
            }
            return [0]
          } catch is CancellationError {
            return [Task.isCancelled ? 1 : 2]
          } catch {
            return (numbers(error) ?? []) + [Task.isCancelled ? 1 : 2]
          }
        }
        for _ in 0..<3 { try await sleep(for: .zero) }
        outer.cancel()
        #expect(try await outer.get() == (withError ? [3, 1] : [1]))
        #expect(waiting.isCancelled)
      }
    }
  }

  @Test("A single task that is cancelled is not an error; an interrupt comes as it is", arguments: LoopKind.allCases)
  func others(kind: LoopKind) async throws {
    try await kind.run { loop in
      let value = try await withLoopTaskGroup { group in
        try group.createTask { try await sleep(for: .seconds(3600)) }.cancel()
        try group.createTask { throw CancellationError() }
        return 3
      }
      #expect(value == 3)
      await #expect(throws: KeyboardInterrupt()) {
        try await withLoopTaskGroup { group -> Void in
          try group.createTask { throw KeyboardInterrupt() }
          try await sleep(for: .seconds(3600))
        }
      }
      await #expect(throws: CancellationError.self) {
        try await withLoopTaskGroup { _ in throw CancellationError() }
      }
    }
  }

  @Test("A group that has ended refuses tasks", arguments: LoopKind.allCases)
  func ended(kind: LoopKind) async throws {
    try await kind.run { loop in
      let group = try await withLoopTaskGroup { $0 }
      expectRefusal(.invalidState) { try group.createTask {} }
    }
  }

  @Test("Tasks are cancelled in the order in which they were made", arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<Int>()
      await #expect(throws: TaskGroupError.self) {
        try await withLoopTaskGroup { group in
          for n in 0..<12 {
            try group.createTask {
              do { try await sleep(for: .seconds(3600)) } catch { notes.record(n) }
            }
          }
          try await sleep(for: .zero)
          throw Failure(number: 1)
        }
      }
      #expect(notes.all == Array(0..<12))
    }
  }

  @Test(
    "What a body starts that does not know of its cancellation yet is cancelled, and no error",
    arguments: LoopKind.allCases)
  func lateStart(kind: LoopKind) async throws {
    try await kind.run { loop in
      let started = Recorder<LoopTask<Void>>()
      let caller = try loop.createTask {
        let caller = currentTask()
        try await withLoopTaskGroup { group in
          try await sleep(for: .zero)
          caller?.cancel()
          started.record(try group.createTask { try await sleep(for: .seconds(3600)) })
        }
      }
      await #expect(throws: CancellationError.self) { try await caller.get() }
      #expect(started.all.map(\.isCancelled) == [true])
    }
  }
}

import Testing

@testable import AsyncIO

/// Groups inside groups, groups whose caller is cancelled, and errors that race with cancellations: what CPython's own
/// tests hold `TaskGroup` to.
@Suite(.timeLimit(.minutes(5)))
struct NestedTaskGroupTests {
  private struct Failure: Error, Equatable { var number: Int }

  /// The numbers of the errors; those of a group inside in brackets.
  private static func text(_ error: any Error) -> String {
    switch error {
    case let group as TaskGroupError: "[\(group.errors.map(text).joined(separator: " "))]"
    case let failure as Failure: "\(failure.number)"
    default: "\(type(of: error))"
    }
  }

  /// Wait to be cancelled.
  private static func waitForCancel(_ notes: Recorder<String>? = nil, _ note: String = "") async throws {
    do { try await sleep(for: .seconds(3600)) } catch {
      notes?.record(note)
      throw error
    }
  }

  /// Fail while it is cancelled.
  private static func failWhenCancelled(_ number: Int) async throws {
    try? await sleep(for: .seconds(3600))
    throw Failure(number: number)
  }

  /// Cancel the body's task when it waits, and say how the body and its task ended.
  private static func cancelling(
    _ loop: BaseEventLoop, _ body: @escaping @Sendable () async throws -> Void
  ) async throws -> (error: String, callerIsCancelled: Bool) {
    let caller = try loop.createTask { () -> (String, Bool) in
      do { try await body() } catch { return (text(error), Task.isCancelled) }
      return ("nothing", Task.isCancelled)
    }
    for _ in 0..<5 { try await sleep(for: .zero) }
    #expect(!caller.isDone)
    caller.cancel()
    return try await caller.get()
  }

  @Test("A cancelled caller cancels the body and every task, once each", arguments: LoopKind.allCases)
  func cancelsAll(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let end = try await Self.cancelling(loop) {
        try await withLoopTaskGroup { group in
          for _ in 0..<5 { try group.createTask { try await Self.waitForCancel(notes, "task") } }
          try await Self.waitForCancel(notes, "body")
        }
      }
      #expect(end.error == "CancellationError" && end.callerIsCancelled)
      #expect(notes.all.sorted() == ["body"] + Array(repeating: "task", count: 5))
    }
  }

  @Test("Tasks that fail in their cleaning up make the cancellation an error", arguments: LoopKind.allCases)
  func failsInCleaningUp(kind: LoopKind) async throws {
    try await kind.run { loop in
      let end = try await Self.cancelling(loop) {
        try await withLoopTaskGroup { group in
          for _ in 0..<3 { try group.createTask { try await Self.failWhenCancelled(8) } }
          try await Self.waitForCancel()
        }
      }
      #expect(end.error == "[8 8 8]" && end.callerIsCancelled)
    }
  }

  @Test("A body that fails at once cancels tasks that have not begun", arguments: LoopKind.allCases)
  func failsAtOnce(kind: LoopKind) async throws {
    try await kind.run { loop in
      let tasks = Recorder<LoopTask<Void>>()
      let error = try await failure(TaskGroupError.self) {
        try await withLoopTaskGroup { group -> Void in
          for _ in 0..<2 { tasks.record(try group.createTask { Issue.record("it began") }) }
          throw Failure(number: 10)
        }
      }
      #expect(Self.text(error) == "[10]" && tasks.all.map(\.isCancelled) == [true, true])
    }
  }

  @Test("The errors of an inner group are one error of the outer one", arguments: LoopKind.allCases, [false, true])
  func cancelledNested(kind: LoopKind, outerHasTask: Bool) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let end = try await Self.cancelling(loop) {
        try await withLoopTaskGroup { outer in
          if outerHasTask { try outer.createTask { try await Self.waitForCancel(notes, "outer") } }
          try await withLoopTaskGroup { inner in
            for _ in 0..<2 { try inner.createTask { try await Self.failWhenCancelled(11) } }
            try await Self.waitForCancel()
          }
        }
      }
      #expect(end.error == "[[11 11]]" && end.callerIsCancelled)
      #expect(notes.all == (outerHasTask ? ["outer"] : []))
    }
  }

  @Test("A failure in the outer group cancels the inner one, which waits for its tasks", arguments: LoopKind.allCases)
  func outerFails(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let error = try await failure(TaskGroupError.self) {
        try await withLoopTaskGroup { outer in
          try outer.createTask {
            try await sleep(for: .zero)
            throw Failure(number: 13)
          }
          do {
            try await withLoopTaskGroup { inner in
              try inner.createTask { try await Self.waitForCancel(notes, "inner task") }
            }
          } catch {
            notes.record(Self.text(error))
            throw error
          }
        }
      }
      #expect(Self.text(error) == "[13]" && notes.all == ["inner task", "CancellationError"])
      #expect(!Task.isCancelled)
    }
  }

  @Test("A failure in the inner group cancels the outer one's tasks", arguments: LoopKind.allCases)
  func innerFails(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let error = try await failure(TaskGroupError.self) {
        try await withLoopTaskGroup { outer in
          try outer.createTask { try await Self.waitForCancel(notes, "outer task") }
          try await withLoopTaskGroup { inner in
            try inner.createTask {
              try await sleep(for: .zero)
              throw Failure(number: 14)
            }
          }
        }
      }
      #expect(Self.text(error) == "[[14]]" && notes.all == ["outer task"])
      #expect(!Task.isCancelled)
    }
  }

  @Test(
    "A task that fails while the cancelled body cleans up is an error", arguments: LoopKind.allCases, [false, true])
  func failsMeanwhile(kind: LoopKind, isAwaitedByAnother: Bool) async throws {
    try await kind.run { loop in
      let hasFailed = Event()
      @Sendable func group() async throws {
        try await withLoopTaskGroup { group in
          try group.createTask {
            defer { hasFailed.set() }
            while !Task.isCancelled { await Task.yield() }
            // It does not mind its cancellation for a while.
            for _ in 0..<20 { await Task.yield() }
            throw Failure(number: 15)
          }
          do { try await Self.waitForCancel() } catch {
            while !hasFailed.isSet { await Task.yield() }
            throw error
          }
        }
      }
      let end = try await Self.cancelling(loop) {
        if isAwaitedByAnother { try await loop.createTask { try await group() }.get() } else { try await group() }
      }
      #expect(end.error == "[15]" && end.callerIsCancelled)
    }
  }

  @Test("A body without tasks is cancelled, and what it throws instead is the error", arguments: LoopKind.allCases)
  func bodyAlone(kind: LoopKind) async throws {
    try await kind.run { loop in
      let plain = try await Self.cancelling(loop) {
        try await withLoopTaskGroup { _ in try await Self.waitForCancel() }
      }
      #expect(plain.error == "CancellationError" && plain.callerIsCancelled)
      let other = try await Self.cancelling(loop) {
        try await withLoopTaskGroup { _ in try await Self.failWhenCancelled(18) }
      }
      #expect(other.error == "[18]" && other.callerIsCancelled)
      // One that ends with a value all the same has been cancelled.
      let value = try await Self.cancelling(loop) {
        try await withLoopTaskGroup { _ in try? await Self.waitForCancel() }
      }
      #expect(value.error == "CancellationError" && value.callerIsCancelled)
    }
  }

  @Test("A task's error and the body's own are both there; an interrupt of the body wins", arguments: LoopKind.allCases)
  func taskAndBody(kind: LoopKind) async throws {
    try await kind.run { loop in
      let both = try await failure(TaskGroupError.self) {
        try await withLoopTaskGroup { group in
          try group.createTask { throw Failure(number: 19) }
          try await Self.failWhenCancelled(20)
        }
      }
      #expect(Self.text(both) == "[19 20]")
      await #expect(throws: KeyboardInterrupt()) {
        try await withLoopTaskGroup { group -> Void in
          try group.createTask { throw Failure(number: 19) }
          try? await Self.waitForCancel()
          throw KeyboardInterrupt()
        }
      }
      #expect(!Task.isCancelled)
    }
  }

  @Test("Both groups fail in one turn: each throws its own errors", arguments: LoopKind.allCases)
  func bothCancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      @Sendable func fail(_ number: Int) async throws {
        try await sleep(for: .zero)
        throw Failure(number: number)
      }
      let error = try await failure(TaskGroupError.self) {
        try await withLoopTaskGroup { outer in
          do {
            try await withLoopTaskGroup { inner in
              try inner.createTask { try await fail(1) }
              try outer.createTask { try await fail(2) }
            }
          } catch { notes.record(Self.text(error)) }
          notes.record(Task.isCancelled ? "cancelled" : "not cancelled")
        }
      }
      #expect(notes.all == ["[1]", "cancelled"])
      #expect(Self.text(error) == "[2]" && !Task.isCancelled)
    }
  }

  @Test("A caller that is cancelled when the group fails stays cancelled behind it", arguments: LoopKind.allCases)
  func errorAndCancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let isFailing = Event()
      let caller = try loop.createTask {
        do {
          try await withLoopTaskGroup { group in
            try group.createTask {
              isFailing.set()
              throw Failure(number: 1)
            }
            try await Self.waitForCancel()
          }
        } catch { notes.record(Self.text(error)) }
        try await sleep(for: .seconds(3600))
        notes.record("went on")
      }
      try await isFailing.wait()
      caller.cancel()
      await #expect(throws: CancellationError.self) { try await caller.get() }
      #expect(notes.all == ["[1]"] && caller.isCancelled)
    }
  }

  @Test("A caller that is cancelled while the group ends its tasks waits for them", arguments: LoopKind.allCases)
  func cancelledInExit(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let release = Event()
      let caller = try loop.createTask {
        try await withLoopTaskGroup { group in
          try group.createTask {
            try? await Self.waitForCancel(notes, "told")
            while !release.isSet { await Task.yield() }
            notes.record("cleaned up")
          }
          try await sleep(for: .zero)
          throw Failure(number: 1)
        }
      }
      while notes.all.isEmpty { try await sleep(for: .zero) }
      for _ in 0..<3 {
        caller.cancel()
        try await sleep(for: .zero)
        #expect(!caller.isDone)
      }
      release.set()
      let error = try await failure(TaskGroupError.self) { try await caller.get() }
      #expect(Self.text(error) == "[1]" && notes.all == ["told", "cleaned up"])
    }
  }

  @Test("Tasks that make tasks are all ended by an error", arguments: LoopKind.allCases)
  func hydra(kind: LoopKind) async throws {
    try await kind.run { loop in
      let heads = Counter()
      @Sendable func grow(_ group: LoopTaskGroup) async throws {
        heads.add(1)
        try await sleep(for: .zero)
        for _ in 0..<2 { try group.createTask { try await grow(group) } }
      }
      let error = try await failure(TaskGroupError.self) {
        try await withLoopTaskGroup { group in
          try group.createTask { try await grow(group) }
          try group.createTask {
            while heads.value < 10 { try await sleep(for: .zero) }
            throw Failure(number: 25)
          }
        }
      }
      #expect(Self.text(error).hasPrefix("[25"))
      #expect(try allTasks().count == 1)
    }
  }
}

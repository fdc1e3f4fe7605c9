import Testing

@testable import AsyncIO

/// Limits inside limits, limits and cancellations, and limits of futures and tasks: what CPython's own tests hold
/// `timeout()` and `wait_for()` to.
@Suite(.timeLimit(.minutes(5))) struct NestedTimeoutTests {
  private struct Failure: Error, Equatable {}

  /// Keep the loop's thread until the time has come.
  private static func block(_ loop: BaseEventLoop, until time: EventLoopInstant) { while loop.time() < time {} }

  @Test(
    "Of two limits with one deadline the outer one becomes the error", arguments: LoopKind.allCases, [true, false])
  func sameDeadline(kind: LoopKind, outerIsFirst: Bool) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let limits = Recorder<Timeout>()
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.seconds(3600)) { outer in
          do {
            try await withTimeout(.seconds(3600)) { inner in
              let deadline = loop.time().advanced(by: .milliseconds(1))
              for limit in outerIsFirst ? [outer, inner] : [inner, outer] {
                limit.reschedule(at: deadline)
                limits.record(limit)
              }
              Self.block(loop, until: deadline)
              try await sleep(for: .seconds(3600))
            }
          } catch {
            notes.record("\(type(of: error))")
            throw error
          }
        }
      }
      #expect(notes.all == ["CancellationError"])
      #expect(limits.all.map(\.isExpired) == [true, true])
      #expect(loop.scheduledTimerCount == 0 && !Task.isCancelled)
    }
  }

  @Test("Both limits pass while the loop is busy: the outer one ends what comes after", arguments: LoopKind.allCases)
  func loopBusy(kind: LoopKind) async throws {
    try await kind.run { loop in
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.seconds(3600)) { outer in
          do {
            try await withTimeout(.seconds(3600)) { inner in
              let now = loop.time()
              inner.reschedule(at: now.advanced(by: .milliseconds(1)))
              outer.reschedule(at: now.advanced(by: .milliseconds(3)))
              Self.block(loop, until: now.advanced(by: .milliseconds(3)))
              try await sleep(for: .seconds(3600))
            }
            Issue.record("the inner limit did not strike")
          } catch {}
          try await sleep(for: .seconds(3600))
        }
      }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("The inner limit passes while the loop is busy, the outer one does not", arguments: LoopKind.allCases)
  func innerPassesBusy(kind: LoopKind) async throws {
    try await kind.run { loop in
      let value = try await withTimeout(.seconds(3600)) { outer in
        await #expect(throws: TimeoutError.self) {
          try await withTimeout(.milliseconds(2)) {
            Self.block(loop, until: loop.time().advanced(by: .milliseconds(4)))
            try await sleep(for: .seconds(3600))
          }
        }
        #expect(!outer.isExpired && !Task.isCancelled)
        return 1
      }
      #expect(value == 1)
    }
  }

  @Test("A cancellation from elsewhere is not a timeout before the limit strikes", arguments: LoopKind.allCases)
  func foreignCancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      let limits = Recorder<Timeout>()
      let task = try loop.createTask {
        try await withTimeout(.seconds(3600)) { timeout in
          limits.record(timeout)
          currentTask()?.cancel()
          try await sleep(for: .seconds(3600))
        }
      }
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(limits.all.map(\.isExpired) == [false])
      #expect(task.isCancelled)
    }
  }

  @Test("A cancellation that comes with the limit's stroke stays one", arguments: LoopKind.allCases)
  func cancelAndStroke(kind: LoopKind) async throws {
    try await kind.run { loop in
      let limits = Recorder<Timeout>()
      let task = try loop.createTask {
        try await withTimeout(.milliseconds(1)) { timeout in
          limits.record(timeout)
          while !timeout.isExpired { await Task.yield() }
          currentTask()?.cancel()
          try await sleep(for: .zero)
        }
      }
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(limits.all.map(\.isExpired) == [true])
    }
  }

  @Test("In a cancelled task a limit of zero is a timeout, and a longer one is cancelled", arguments: LoopKind.allCases)
  func afterCancellation(kind: LoopKind) async throws {
    try await kind.run { loop in
      let task = try loop.createTask {
        currentTask()?.cancel()
        try? await sleep(for: .seconds(3600))
        await #expect(throws: TimeoutError.self) { try await withTimeout(.zero) { try await sleep(for: .seconds(1)) } }
        await #expect(throws: CancellationError.self) {
          try await withTimeout(.seconds(3600)) {
            currentTask()?.cancel()
            try await sleep(for: .seconds(3600))
          }
        }
        return 1
      }
      #expect(try await task.get() == 1)
    }
  }

  @Test("An error that the body throws stays, before and after the stroke", arguments: LoopKind.allCases)
  func errorsStay(kind: LoopKind) async throws {
    try await kind.run { loop in
      let limits = Recorder<Timeout>()
      for isLate in [false, true] {
        await #expect(throws: Failure()) {
          try await withTimeout(isLate ? .milliseconds(1) : .seconds(3600)) { timeout in
            limits.record(timeout)
            while isLate, !timeout.isExpired { await Task.yield() }
            throw Failure()
          }
        }
      }
      #expect(limits.all.map(\.isExpired) == [false, true])
      // So with a group inside, whose task fails in its cleaning up.
      do {
        try await withTimeout(.milliseconds(1)) {
          try await withLoopTaskGroup { group in
            try group.createTask {
              do { try await sleep(for: .seconds(3600)) } catch { throw Failure() }
            }
            try await sleep(for: .seconds(3600))
          }
        }
        Issue.record("nothing thrown")
      } catch let error as TaskGroupError { #expect(error.errors.first is Failure && error.errors.count == 1) }
    }
  }

  @Test("A future that is done in time wins over its limit", arguments: LoopKind.allCases)
  func futureInTime(kind: LoopKind) async throws {
    try await kind.run { loop in
      let future = loop.createFuture(of: String.self)
      try loop.callSoon { try future.setResult("ok") }
      #expect(try await withTimeout(.seconds(3600)) { try await future.get() } == "ok")
    }
  }

  @Test("A task that is done already does not keep its waiter from being cancelled", arguments: LoopKind.allCases)
  func doneAndCancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let inner = try loop.createTask { "done" }
      let outer = try loop.createTask {
        _ = try await withTimeout(.seconds(3600)) { try await inner.get() }
        notes.record("got it")
        try await sleep(for: .seconds(3600))
        notes.record("went on")
      }
      try await sleep(for: .zero)
      outer.cancel()
      await #expect(throws: CancellationError.self) { try await outer.get() }
      #expect(try await inner.get() == "done")
      #expect(!notes.all.contains("went on"))
    }
  }

  @Test("Cancelling who waits with a limit, or without, cancels the task that is awaited", arguments: LoopKind.allCases)
  func cancelWaiting(kind: LoopKind) async throws {
    try await kind.run { loop in
      for limit in [Duration.seconds(3600), nil] {
        let inner = try loop.createTask { try await loop.createFuture(of: Void.self).get() }
        let outer = try loop.createTask { try await withTimeout(limit) { _ in try await inner.get() } }
        try loop.callSoon { outer.cancel() }
        await #expect(throws: CancellationError.self) { try await outer.get() }
        #expect(inner.isCancelled)
      }
    }
  }

  @Test("A limit waits until the task that it cancelled has cleaned up", arguments: LoopKind.allCases)
  func waitsForCleaningUp(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let inner = try loop.createTask {
        defer { notes.record("cleaned up") }
        do { try await sleep(for: .seconds(3600)) } catch {
          for _ in 0..<5 { await Task.yield() }
          throw error
        }
      }
      await #expect(throws: TimeoutError.self) { try await withTimeout(.milliseconds(2)) { try await inner.get() } }
      #expect(notes.all == ["cleaned up"] && inner.isCancelled)
    }
  }
}

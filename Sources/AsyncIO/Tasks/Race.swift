/// What the winner of a race returned, and which one it was. A race of fewer than four has `Never` in the places of
/// those that do not run, and a `switch` leaves them out.
public enum Winner<First: Sendable, Second: Sendable, Third: Sendable, Fourth: Sendable>: Sendable {
  /// The first body's value.
  case first(First)
  /// The second body's value.
  case second(Second)
  /// The third body's value.
  case third(Third)
  /// The fourth body's value.
  case fourth(Fourth)
}

/// Run two bodies at once and return what the first one to finish returned, or throw what it threw. The other one is
/// cancelled, and has ended when this returns; its value or error is dropped. Answers tokio's `select!`.
///
/// ```swift
/// switch try await race({ try await connection.readLine() }, { try await queue.get() }) {
/// case .first(let line): print(line ?? "the end")
/// case .second(let job): print(job)
/// }
/// ```
/// Cancelling the calling task cancels all bodies, and what the first one to finish then returns or throws counts. A
/// loser that has taken something by the time it is cancelled (an element, a line) has taken it: put what must not be
/// lost where the winner finds it.
///
/// The bodies are tasks of the running loop and begin in their order. Throws code `noRunningLoop` outside of a loop's
/// thread.
public func race<First: Sendable, Second: Sendable>(
  _ first: sending @escaping () async throws -> First, _ second: sending @escaping () async throws -> Second
) async throws -> Winner<First, Second, Never, Never> {
  try await checkpoint()
  let race = try Race<Winner<First, Second, Never, Never>>("race")
  race.start { .first(try await first()) }
  race.start { .second(try await second()) }
  return try await race.end()
}

/// Run three bodies at once. See ``race(_:_:)``.
public func race<First: Sendable, Second: Sendable, Third: Sendable>(
  _ first: sending @escaping () async throws -> First, _ second: sending @escaping () async throws -> Second,
  _ third: sending @escaping () async throws -> Third
) async throws -> Winner<First, Second, Third, Never> {
  try await checkpoint()
  let race = try Race<Winner<First, Second, Third, Never>>("race")
  race.start { .first(try await first()) }
  race.start { .second(try await second()) }
  race.start { .third(try await third()) }
  return try await race.end()
}

/// Run four bodies at once. See ``race(_:_:)``.
public func race<First: Sendable, Second: Sendable, Third: Sendable, Fourth: Sendable>(
  _ first: sending @escaping () async throws -> First, _ second: sending @escaping () async throws -> Second,
  _ third: sending @escaping () async throws -> Third, _ fourth: sending @escaping () async throws -> Fourth
) async throws -> Winner<First, Second, Third, Fourth> {
  try await checkpoint()
  let race = try Race<Winner<First, Second, Third, Fourth>>("race")
  race.start { .first(try await first()) }
  race.start { .second(try await second()) }
  race.start { .third(try await third()) }
  race.start { .fourth(try await fourth()) }
  return try await race.end()
}

/// Some tasks, of which the first one to finish decides. Any thread.
private final class Race<Value: Sendable>: Sendable {
  private struct State {
    var outcome: Result<Value, any Error>?
    var isCancelled = false
    var tasks: [Task<Void, Never>] = []
  }

  private let core: BaseEventLoop
  private let state = Lock(State())

  init(_ operation: String) throws(EventLoopError) { core = try runningCore(operation) }

  /// Start a body. One that is started when the race has been decided is cancelled at once.
  func start(_ body: sending @escaping () async throws -> Value) {
    let lent = LentBody(body)
    let task = Task(executorPreference: core.taskFacade) { [self] in
      let outcome: Result<Value, any Error>
      do { outcome = .success(try await lent.run()) } catch { outcome = .failure(error) }
      lent.takeBack()
      finished(outcome)
    }
    let isLate = state.withLock { state in
      state.tasks.append(task)
      return state.isCancelled
    }
    if isLate { task.cancel() }
  }

  private func finished(_ outcome: Result<Value, any Error>) {
    let isFirst = state.withLock { state in
      guard state.outcome == nil else { return false }
      state.outcome = outcome
      return true
    }
    if isFirst { cancel() }
  }

  private func cancel() {
    let tasks = state.withLock { state in
      state.isCancelled = true
      return state.tasks
    }
    for task in tasks { Sequel.cancel(task) }
  }

  /// Wait for all of them, and return the outcome of the first.
  func end() async throws -> Value {
    let tasks = state.withLock { $0.tasks }
    await withTaskCancellationHandler {
      for task in tasks { await task.value }
    } onCancel: {
      cancel()
    }
    guard let outcome = state.withLock({ $0.outcome }) else { preconditionFailure("a race has ended without a winner") }
    return try outcome.get()
  }
}

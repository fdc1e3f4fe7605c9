/// The time given to an operation is over.
public struct TimeoutError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The time that was given: the limit, or the time from the last setting of the deadline to the deadline; zero for a
  /// deadline that had already passed.
  public let limit: Duration
  /// Create the error for a limit.
  public init(limit: Duration) { self.limit = limit }
  /// The limit, in a sentence.
  public var description: String { "the operation did not end within \(limit)" }
}

/// Run the body with a time limit: when the time is over the body is cancelled and awaited, and ``TimeoutError`` is
/// thrown. If the body ends with a value anyway, the value wins. Nested limits and cancellations from outside are told
/// apart: only this limit becomes ``TimeoutError``. No timer is left behind. A limit that is zero or negative never
/// starts the body. If the loop is closed before the limit is over, nothing can watch the limit any more: the body is
/// then cancelled, and code `closed` is thrown.
///
/// The closure does not escape, so it may use a lent span or an `inout` value: the body runs in a task of its own on
/// the same loop while the caller waits, so the two never overlap. Throws code `noRunningLoop` outside of a loop's
/// thread. Answers `asyncio.timeout()` and `wait_for()`.
public func withTimeout<Value: Sendable>(_ limit: Duration, _ body: () async throws -> Value) async throws -> Value {
  guard limit > .zero else { throw TimeoutError(limit: limit) }
  let core = try runningCore("withTimeout")
  return try await withTimeout(until: core.time().advanced(by: limit), limit: limit, on: core, body)
}

/// Run the body with a deadline on the loop's clock, which several operations may share. A deadline that has passed
/// never starts the body; ``EventLoopInstant/distantFuture`` means no limit. See
/// ``withTimeout(_:_:)-(Duration,()->Value)``. Answers `asyncio.timeout_at()`.
///
/// ```swift
/// let deadline = loop.time().advanced(by: .seconds(5))
/// let connection = try await withTimeout(at: deadline) { try await StreamConnection.connect(host: host, port: 80) }
/// let line = try await withTimeout(at: deadline) { try await connection.readLine() }
/// ```
public func withTimeout<Value: Sendable>(
  at deadline: EventLoopInstant, _ body: () async throws -> Value
) async throws -> Value {
  let core = try runningCore("withTimeout")
  let limit = core.time().duration(to: deadline)
  guard limit > .zero else { throw TimeoutError(limit: .zero) }
  return try await withTimeout(until: deadline, limit: limit, on: core, body)
}

private func withTimeout<Value: Sendable>(
  until deadline: EventLoopInstant, limit: Duration, on core: BaseEventLoop, _ body: () async throws -> Value
) async throws -> Value {
  // A named function: inside a closure literal the compiler refuses to pass the body on.
  func race(_ body: @escaping () async throws -> Value) async throws -> Value {
    let lent = LentBody(body)
    defer { lent.takeBack() }
    let task = Task(executorPreference: core.taskFacade) { try await lent.run() }
    let timer = TimeLimit(until: deadline, on: core) { _ in task.cancel() }
    let outcome = await withTaskCancellationHandler {
      await task.result
    } onCancel: {
      Sequel.cancel(task)
    }
    timer.cancel()
    return try timer.end.outcome(of: outcome, limit: limit)
  }
  return try await withoutActuallyEscaping(body, do: race)
}

extension TimeLimit.End {
  /// Return the outcome of a body that has ended. Only a cancellation that the limit itself has caused becomes an error
  /// of the limit: one from outside stays, and so do values and the body's own errors.
  func outcome<Value>(of body: Result<Value, any Error>, limit: Duration) throws -> Value {
    if case .failure(let error) = body, error is CancellationError, !Task.isCancelled {
      switch self {
      case .none: break
      case .timedOut: throw TimeoutError(limit: limit)
      case .closed: throw EventLoopError.closed("withTimeout")
      }
    }
    return try body.get()
  }
}

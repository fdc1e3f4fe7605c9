/// The time limit of a running body, which may move it: the limit of
/// ``withTimeout(_:_:)-(Duration?,(Timeout)->Value)``. Answers asyncio's `Timeout`.
///
/// Any thread may use it. In the loop's thread moving allocates nothing.
public final class Timeout: Sendable {
  private let core: BaseEventLoop
  private let limit: MovableLimit

  fileprivate init(_ core: BaseEventLoop, _ limit: MovableLimit) {
    self.core = core
    self.limit = limit
  }

  /// When the limit strikes, or struck, on the clock of the loop; nil if there is no limit. Answers `when()`.
  public var deadline: EventLoopInstant? { limit.current.deadline }

  /// True once the limit has struck, even if the body then ended with a value. Answers `expired()`.
  public var isExpired: Bool { limit.current.end == .timedOut }

  /// Move the deadline. One that has passed strikes in the next turn, nil removes the limit until there is another
  /// deadline, and ``EventLoopInstant/distantFuture`` is never reached.
  ///
  /// Returns `false` and does nothing if the limit has already struck or the body has ended. That is not an error,
  /// because a body may always come a moment too late to move its limit. Its next suspending call then throws
  /// `CancellationError`, which becomes ``TimeoutError``. Answers `reschedule()`.
  @discardableResult
  public func reschedule(at deadline: EventLoopInstant?) -> Bool {
    let given = deadline.map { core.time().duration(to: $0) } ?? .zero
    return limit.move(to: deadline, given: max(given, .zero), on: core)
  }

  /// Move the deadline to a time from now, like ``reschedule(at:)``: use it to put off an idle limit with every
  /// message.
  @discardableResult
  public func reschedule(after duration: Duration) -> Bool {
    limit.move(to: core.time().advanced(by: duration), given: max(duration, .zero), on: core)
  }
}

extension Timeout: CustomStringConvertible {
  /// How logs show it: "Timeout at 12.5 s (running)"; or that it is expired, closed with its loop, or ended. Any
  /// thread.
  public var description: String {
    let (deadline, end, isWatching) = limit.current
    let state =
      switch end {
      case .timedOut: "expired"
      case .closed: "closed"
      case .none: isWatching ? "running" : "ended"
      }
    return "Timeout \(deadline.map { "at \($0)" } ?? "without a deadline") (\(state))"
  }
}

/// Run the body with a limit that it may move or remove. See ``withTimeout(_:_:)-(Duration,()->Value)``. Answers
/// `asyncio.timeout()`.
///
/// ```swift
/// try await withTimeout(.seconds(30)) { timeout in
///   for try await line in connection.lines {
///     timeout.reschedule(after: .seconds(30))  // an idle limit: thirty seconds from the last line
///     try await answer(line)
///   }
/// }
/// ```
/// - Parameters:
///   - limit: the time at first; nil for none until the body sets one. A limit that is zero or negative never starts
///     the body.
///   - body: is cancelled when the deadline, wherever it is by then, has come.
public func withTimeout<Value: Sendable>(
  _ limit: Duration?, _ body: (Timeout) async throws -> Value
) async throws -> Value {
  if let limit, limit <= .zero { throw TimeoutError(limit: limit) }
  let core = try runningCore("withTimeout")
  let deadline = limit.map { core.time().advanced(by: $0) }
  return try await withTimeout(MovableLimit(deadline, given: limit ?? .zero, on: core), on: core, body)
}

/// Run the body with a deadline on the loop's clock. Nil sets no limit at first. A deadline that has passed never
/// starts the body. See ``withTimeout(_:_:)-(Duration?,(Timeout)->Value)``. Answers `asyncio.timeout_at()`.
public func withTimeout<Value: Sendable>(
  at deadline: EventLoopInstant?, _ body: (Timeout) async throws -> Value
) async throws -> Value {
  let core = try runningCore("withTimeout")
  let limit = deadline.map { core.time().duration(to: $0) }
  if let limit, limit <= .zero { throw TimeoutError(limit: .zero) }
  return try await withTimeout(MovableLimit(deadline, given: limit ?? .zero, on: core), on: core, body)
}

private func withTimeout<Value: Sendable>(
  _ limit: MovableLimit, on core: BaseEventLoop, _ body: (Timeout) async throws -> Value
) async throws -> Value {
  // A named function: inside a closure literal the compiler refuses to pass the body on.
  func race(_ body: @escaping (Timeout) async throws -> Value) async throws -> Value {
    let timeout = Timeout(core, limit)
    let lent = LentBody { try await body(timeout) }
    defer { lent.takeBack() }
    let task = Task(executorPreference: core.taskFacade) { try await lent.run() }
    limit.begin(on: core) { task.cancel() }
    let outcome = await withTaskCancellationHandler {
      await task.result
    } onCancel: {
      Sequel.cancel(task)
    }
    let (end, given) = limit.finish()
    return try end.outcome(of: outcome, limit: given)
  }
  return try await withoutActuallyEscaping(body, do: race)
}

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

  /// True once the limit has struck, also when the body then ended with a value. Answers `expired()`.
  public var isExpired: Bool { limit.current.end == .timedOut }

  /// Moves the deadline. One that has passed strikes in the next turn, nil takes the limit away until there is another
  /// deadline, and ``EventLoopInstant/distantFuture`` is never reached.
  ///
  /// Returns `false` and does nothing if the limit has struck already or the body has ended. That is no error, because
  /// a body may always come a moment too late to move its limit. Its next suspending call then throws
  /// `CancellationError`, which becomes ``TimeoutError``. Answers `reschedule()`.
  @discardableResult
  public func reschedule(at deadline: EventLoopInstant?) -> Bool {
    let given = deadline.map { core.time().duration(to: $0) } ?? .zero
    return limit.move(to: deadline, given: max(given, .zero), on: core)
  }

  /// Moves the deadline to a time from now, as ``reschedule(at:)``: how an idle limit is put off with every message.
  @discardableResult
  public func reschedule(after duration: Duration) -> Bool {
    limit.move(to: core.time().advanced(by: duration), given: max(duration, .zero), on: core)
  }
}

extension Timeout: CustomStringConvertible {
  /// Which one it is: "Timeout at 12.5 s (running)"; else it is expired, closed with its loop, or ended. Any thread.
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

/// As ``withTimeout(_:_:)-(Duration,()->Value)``, with a limit that the body may move or take away. Answers
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
///   - limit: the time at first; nil for none until the body sets one. One that is zero or negative never starts the
///     body.
///   - body: is cancelled when the deadline, wherever it is by then, has come.
public func withTimeout<Value: Sendable>(
  _ limit: Duration?, _ body: (Timeout) async throws -> Value
) async throws -> Value {
  if let limit, limit <= .zero { throw TimeoutError(limit: limit) }
  let core = try runningCore("withTimeout")
  let deadline = limit.map { core.time().advanced(by: $0) }
  return try await withTimeout(MovableLimit(deadline, given: limit ?? .zero, on: core), on: core, body)
}

/// As ``withTimeout(_:_:)-(Duration?,(Timeout)->Value)``, with a deadline on the loop's clock. Nil sets no limit at
/// first. A deadline that has passed never starts the body. Answers `asyncio.timeout_at()`.
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
  // A named function: inside a closure literal the compiler refuses to hand the body on.
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

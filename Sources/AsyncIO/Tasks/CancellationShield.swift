/// Run the body to its end although the calling task is cancelled, or is being cancelled meanwhile, but no longer than
/// a limit: for a clean-up that has to wait. Answers trio's shielded `CancelScope`.
///
/// ```swift
/// do { try await serve(connection) } catch {
///   try? await withCancellationShield(atMost: .seconds(2)) { try await connection.write("goodbye\n") }
///   throw error
/// }
/// ```
/// The body sees nothing of the cancellation: its calls do not throw because of it. When the limit is over the body is
/// cancelled and awaited, and ``TimeoutError`` is thrown; a value that it returns all the same wins. Afterwards the
/// caller is as cancelled as it was: `Task.isCancelled` says so, and its next call throws. A limit that is zero or
/// negative never starts the body. If the loop is closed before the limit is over, the body is cancelled, and code
/// `closed` is thrown.
///
/// The closure does not escape, so it may use a lent span or an `inout` value: the body runs in a task of its own on
/// the same loop while the caller waits, so the two never overlap. What other code cancels itself, a group or a limit
/// inside of the body for instance, is not shielded from it. Throws code `noRunningLoop` outside of a loop's thread.
///
/// This differs from ``shield(fileID:line:_:)``, which leaves its task behind when the caller is cancelled.
public func withCancellationShield<Value: Sendable>(
  atMost limit: Duration, _ body: () async throws -> Value
) async throws -> Value {
  guard limit > .zero else { throw TimeoutError(limit: limit) }
  let core = try runningCore("withCancellationShield")
  // A named function: inside a closure literal the compiler refuses to pass the body on.
  func run(_ body: @escaping () async throws -> Value) async throws -> Value {
    let lent = LentBody(body)
    defer { lent.takeBack() }
    // Not a child of the calling task, so its cancellation does not reach it.
    let task = Task(executorPreference: core.taskFacade) { try await lent.run() }
    let timer = TimeLimit(until: core.time().advanced(by: limit), on: core) { _ in task.cancel() }
    let outcome = await task.result
    timer.cancel()
    if case .failure(let error) = outcome, error is CancellationError {
      switch timer.end {
      case .none: break
      case .timedOut: throw TimeoutError(limit: limit)
      case .closed: throw EventLoopError.closed("withCancellationShield")
      }
    }
    return try outcome.get()
  }
  return try await withoutActuallyEscaping(body, do: run)
}

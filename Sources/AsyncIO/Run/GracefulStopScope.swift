// A scope is a body, the tasks that it made for the stop, and the servers that joined. The traps:
//
// - The body is cancelled by two powers: its caller, and the stop. Only a cancellation that is the stop's alone is
//   swallowed, because then the report says what happened.
// - What is cancelled is awaited, whatever happens: the wait for the tasks is in a task of its own, which a cancelled
//   caller does not cut short.

/// Run a program, or a part of it, until it ends or a signal asks it to stop: then let what runs end within `drain`,
/// cancel the rest, await it, and report who did not end.
///
/// ```swift
/// let report = try await withGracefulStop(drain: .seconds(30)) { stop in
///   let listener = try await StreamListener.bind(host: "127.0.0.1", port: 7000)
///   try await listener.serve(until: stop) { connection in
///     while let line = try await stop.unlessRequested({ try await connection.readLine() }) ?? nil {
///       try await answer(line)
///     }
///   }
/// }
/// print(report)
/// ```
/// The first signal is the request: servers that serve until the stop close their listeners, and tasks that await
/// ``GracefulStop/requested()`` go on. When the time is over, or at the second signal, their handlers, the tasks of
/// ``GracefulStop/createTask(name:_:)`` and the body are cancelled. From then on the signals have their earlier action
/// again: in a program that ignores its cancellation, a third SIGTERM ends the process, and a third Ctrl-C does what it
/// does without a scope (see ``Runner``). What has not ended ten seconds after its cancellation is reported to the
/// loop's exception handler.
///
/// The scope ends when the body and all its tasks have ended. An error of the body cancels the tasks and is thrown when
/// they have ended. If the caller is cancelled, so are the body and the tasks, at once, and `CancellationError` is
/// thrown unless the body ends otherwise. A cancellation of the body by the stop is not an error. With several loops
/// each body has a scope of its own, and each gets the signals.
///
/// - Parameters:
///   - signals: those that request the stop. `nil` is SIGTERM and SIGINT, as far as the system offers them; name none,
///     `[]`, to stop by ``GracefulStop/request()`` alone. A handler of `addSignalHandler` is called as well.
///   - drain: how long what runs at the request may go on. `nil` is without a limit, zero or less cancels at once.
///   - body: the program; it runs in a task of its own on the same loop, while the caller waits.
/// - Returns: how it ended, even if no stop was requested.
/// - Throws: what the body throws; code `noRunningLoop` outside of a loop's thread; what `addSignalHandler` throws for
///   a signal that was named, on Windows `notOffered` for other signals than SIGINT, SIGBREAK and SIGTERM.
@discardableResult
public func withGracefulStop(
  on signals: [Int32]? = nil, drain: Duration?, _ body: (GracefulStop) async throws -> Void
) async throws -> DrainReport {
  try await checkpoint()
  let core = try runningCore("withGracefulStop")
  let stop = GracefulStop(core, drain: drain)
  try stop.watch(signals: signals, for: "withGracefulStop")
  defer { stop.end() }
  return try await run(body, until: stop, on: core)
}

private func run(
  _ body: (GracefulStop) async throws -> Void, until stop: GracefulStop, on core: BaseEventLoop
) async throws -> DrainReport {
  // A named function: inside a closure literal the compiler refuses to pass the body on.
  func race(_ body: @escaping (GracefulStop) async throws -> Void) async throws -> DrainReport {
    let lent = LentBody { try await body(stop) }
    defer { lent.takeBack() }
    let task = Task(executorPreference: core.taskFacade) { try await lent.run() }
    let member = StoppedBody(task)
    stop.join(member)
    let outcome = await withTaskCancellationHandler {
      let outcome = await task.result
      // A body that only waited for its servers ends well, though it was cancelled: it is the servers that are named.
      if case .success = outcome { stop.withdraw(ObjectIdentifier(member)) }
      stop.ended(ObjectIdentifier(member))
      stop.leave(member)
      if case .failure = outcome, !stop.isCancelling { stop.cancelTasks() }
      await core.startTask { await endOfTasks(of: stop) }.value
      return outcome
    } onCancel: {
      Sequel.cancel(task)
      stop.cancelTasks()
    }
    let report = stop.report()
    if case .failure(let error) = outcome, error is CancellationError, stop.isCancelling, !Task.isCancelled {
      return report
    }
    try outcome.get()
    try Task.checkCancellation()
    return report
  }
  return try await withoutActuallyEscaping(body, do: race)
}

/// Wait for the tasks of a stop, and for those that they make. Their errors stay for the code that asks for them.
private func endOfTasks(of stop: GracefulStop) async {
  while case let tasks = stop.unfinishedTasks, !tasks.isEmpty {
    guard (try? await wait(for: tasks)) != nil else { return }
  }
}

/// The body of a scope, as its stop sees it.
private final class StoppedBody: StopMember {
  private let task: Task<Void, any Error>

  init(_ task: Task<Void, any Error>) { self.task = task }

  /// The body itself looks at the stop.
  func stopWasRequested() {}

  var runningEntries: [StopEntry] { [StopEntry(id: ObjectIdentifier(self), name: "the body")] }

  func cancelForStop() { Sequel.cancel(task) }
}

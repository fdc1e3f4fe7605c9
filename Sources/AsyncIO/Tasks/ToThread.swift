/// Run blocking work on a thread of the running loop's default executor and wait for its result. Unlike
/// ``EventLoop/runInExecutor(_:)`` it carries all task-local values to the work. Answers `asyncio.to_thread()`.
///
/// Cancelling the calling task releases it at once; work that has started goes on to its end, work that has not started
/// is dropped. The work counts as code of a task, so calls that refuse to block a task also refuse here; use
/// `runInExecutor` for those. Throws code `noRunningLoop` outside of a loop's thread, `executorShutDown` after the
/// executor's end, ``IOError`` `.resourceTemporarilyUnavailable` if the executor has no thread and the system gives it
/// none.
public func toThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await checkpoint()
  let core = try runningCore("toThread")
  let result = Carried<Value>()
  let callback = ParkedCallback { result.outcome = Result { try work() } }
  return try await core.runInExecutor(nil, for: "toThread") {
    try callback.run()
    guard let outcome = result.outcome else { preconditionFailure("the work has run") }
    return try outcome.get()
  }.get()
}

/// The result of the work. Right because it is written and read in one thread, before and after the parked job's run.
private final class Carried<Value: Sendable>: @unchecked Sendable {
  var outcome: Result<Value, any Error>?
}

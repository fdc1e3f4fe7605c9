/// Wait for a future that goes on when the waiting task is cancelled: `CancellationError` is then thrown at once, and
/// the future is left alone. An error of the future that is not retrieved is reported when the future goes away. If
/// other code cancels the future, this also throws `CancellationError`; ``Future/isCancelled`` tells the two apart.
/// Throws code `invalidState` for the calling task itself. Answers `shield()`.
public func shield<Value: Sendable>(
  _ future: Future<Value>, fileID: StaticString = #fileID, line: UInt = #line
) async throws -> Value {
  try await checkpoint()
  try future.refuseSelfWait()
  let end = OneWait<Bool>()
  let awaiter = Awaiter.current(CallSite(file: fileID, line: line))
  guard let observer = future.observe(by: awaiter, { end.end(true) }) else { return try future.result() }
  let isDone = await end.wait(cancelled: false)
  guard isDone else {
    future.stopObserving(observer)
    throw CancellationError()
  }
  return try future.result()
}

/// Run the body as a task of the running loop that goes on when the calling task is cancelled; see
/// ``shield(_:fileID:line:)-(Future<Value>,_,_)``. Throws code `noRunningLoop` outside of a loop's thread.
public func shield<Value: Sendable>(
  fileID: StaticString = #fileID, line: UInt = #line, _ body: sending @escaping () async throws -> Value
) async throws -> Value {
  try await checkpoint()
  let task = try runningCore("shield").createTask(fileID: fileID, line: line, body)
  return try await shield(task, fileID: fileID, line: line)
}

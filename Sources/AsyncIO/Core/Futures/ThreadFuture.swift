extension EventLoop {
  /// Start a task on this loop from any thread, and return a future that the thread can wait for. Answers
  /// `asyncio.run_coroutine_threadsafe()`.
  ///
  /// ```swift
  /// let future = try loop.runCoroutineThreadsafe { try await fetch() }
  /// let answer = try future.wait(timeout: .seconds(5))
  /// ```
  /// The task is one of `createTask`: it runs on the loop as soon as that runs, and values, errors and cancellations go
  /// both ways. Throws code `closed` for a closed loop. If the loop is closed before the body has ended, the future
  /// ends with code `closed` and the body is cancelled; a body that had not begun then never begins.
  @discardableResult
  public func runCoroutineThreadsafe<Value: Sendable>(
    name: String? = nil, fileID: StaticString = #fileID, line: UInt = #line,
    _ body: sending @escaping () async throws -> Value
  ) throws(EventLoopError) -> ThreadFuture<Value> {
    let future = ThreadFuture<Value>(loop: self, name: name, site: CallSite(file: fileID, line: line))
    LoopTaskRegistry.shared.insert(future, for: self)
    // After the insertion: a close that comes from here on finds the future, an earlier one is seen here.
    if isClosed {
      LoopTaskRegistry.shared.remove(future, for: self)
      throw .closed("runCoroutineThreadsafe")
    }
    future.start(body)
    return future
  }
}

/// A task of a loop, for threads that wait for its result. Made by
/// ``EventLoop/runCoroutineThreadsafe(name:fileID:line:_:)``. Answers the `concurrent.futures.Future` of asyncio's
/// function.
///
/// Like every ``LoopTask`` it may be awaited, cancelled, and asked for its state, from any thread; it is done when its
/// body has ended. One thing differs: it ends with its loop, so that no thread waits for ever. The unchecked
/// conformance is right because it adds no state.
public final class ThreadFuture<Value: Sendable>: LoopTask<Value>, @unchecked Sendable {
  /// Block the calling thread until the body has ended, and return its value or throw its error: `CancellationError` if
  /// it was cancelled, code `closed` if the loop was closed first. Answers `result(timeout)`.
  ///
  /// - Parameter timeout: the longest wait; `nil` means no limit, zero and less do not wait. After it ``TimeoutError``
  ///   is thrown, and the body goes on; ``LoopTask/cancel(_:)`` ends it.
  /// - Throws: code `wouldBlock` in a thread that runs an event loop, and inside a task, even if the future is done:
  ///   use ``Future/get(fileID:line:)`` or ``Future/result()`` there.
  @available(*, noasync, message: "it blocks the thread; await get() instead")
  public func wait(timeout: Duration? = nil) throws -> Value {
    try refuseToBlock()
    let deadline = timeout.map { MonotonicTime.after($0.saturatedNanoseconds) }
    guard block(until: deadline ?? .max) else { throw TimeoutError(limit: timeout ?? .zero) }
    return try result()
  }

  private func refuseToBlock() throws(EventLoopError) {
    let isInsideTask = withUnsafeCurrentTask { $0 != nil }
    guard isInsideTask || LoopIntake.running != nil else { return }
    let place = isInsideTask ? "inside a task" : "in a thread that runs an event loop"
    throw EventLoopError(
      .wouldBlock,
      "wait was called \(place), whose thread it would block. Use `try await future.get()`, or addDoneCallback.")
  }

  /// Every waiting thread gets an error, so the body's work is no longer wanted.
  package override func loopDidClose() {
    let error = EventLoopError(
      .closed, "\(taskName): the event loop was closed before the task had ended. Wait for it, then close the loop.")
    guard complete(.failure(error)) else { return }
    // The code that closed the loop already knows: an error that is not retrieved must not be reported once more.
    _ = try? result()
    requestCancel("the event loop was closed")
  }
}

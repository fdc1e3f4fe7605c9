internal import Logging
internal import Synchronization

extension BaseEventLoop {
  /// Runs blocking work on a thread of a pool and delivers its result to the loop. Code `closed` for a closed loop,
  /// `executorShutDown` for a pool that takes no more work. Any thread. Answers `run_in_executor`.
  public final func runInExecutor<Value: Sendable>(
    _ executor: ThreadPool?, _ work: @escaping @Sendable () throws -> Value
  ) throws(EventLoopError) -> Future<Value> {
    if isClosed { throw .closed("runInExecutor") }
    guard let pool = executor ?? defaultExecutor() else {
      throw EventLoopError(
        .executorShutDown, "runInExecutor: the default executor of this loop is shut down. Give your own ThreadPool.")
    }
    let future = Future<Value>(loop: self)
    let taken = pool.submit {
      // Cancelled while it was queued: nobody wants it any more.
      if future.isDone { return }
      future.complete(Result { try work() })
    }
    guard taken else {
      throw EventLoopError(.executorShutDown, "runInExecutor: the thread pool is shut down.")
    }
    return future
  }

  private final func defaultExecutor() -> ThreadPool? {
    shared.withLock { state in
      if state.executorIsShutDown { return nil }
      if let executor = state.defaultExecutor { return executor }
      let executor = ThreadPool()
      state.defaultExecutor = executor
      return executor
    }
  }

  /// Runs blocking work on the default executor and suspends until it has ended, also when the task is cancelled: what
  /// the work uses may go after the return. Loop thread. Code `executorShutDown`.
  final func runToEnd<Value: Sendable>(
    _ operation: String, _ work: @escaping @Sendable () -> Value
  ) async throws -> Value {
    if isClosed { throw EventLoopError.closed(operation) }
    let value: Value? = await withUnsafeContinuation { continuation in
      let isTaken = defaultExecutor()?.submit { continuation.resume(returning: work()) } ?? false
      if !isTaken { continuation.resume(returning: nil) }
    }
    guard let value else {
      throw EventLoopError(.executorShutDown, "\(operation): the default executor of this loop is shut down.")
    }
    return value
  }

  /// Replaces the default executor; the earlier one is not shut down. Any thread. Answers `set_default_executor`.
  public final func setDefaultExecutor(_ executor: ThreadPool) {
    shared.withLock { $0.defaultExecutor = executor }
  }

  /// Shuts the default executor down and waits for its work, at most `timeout`; `nil` waits without limit. Answers
  /// `shutdown_default_executor`.
  public final func shutdownDefaultExecutor(timeout: Duration? = nil) async {
    let executor = shared.withLock { state in
      state.executorIsShutDown = true
      defer { state.defaultExecutor = nil }
      return state.defaultExecutor
    }
    guard let executor else { return }
    executor.shutDown()
    let ended = Future<Void>(loop: self)
    executor.notifyWhenEnded { ended.complete(.success(())) }
    guard let timeout else {
      _ = try? await ended.get()
      return
    }
    let timer = TimeLimit(until: time().advanced(by: timeout), on: self) { _ in ended.cancel("timeout") }
    defer { timer.cancel() }
    do {
      try await ended.get()
    } catch  where ended.cancelMessage != nil {
      logger.warning("the executor did not end its work within \(timeout); its threads are left to end alone")
    } catch {
      // The task that waits was cancelled: it waits no longer.
    }
  }
}

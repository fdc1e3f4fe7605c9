internal import Logging
internal import Synchronization

extension BaseEventLoop {
  /// Run blocking work on a thread of a pool and deliver its result to the loop. Throws code `closed` for a closed
  /// loop, `executorShutDown` for a pool that takes no more work. If the pool has no thread and the system gives it
  /// none, the future ends with ``IOError`` `.resourceTemporarilyUnavailable`. Any thread. Answers `run_in_executor`.
  public final func runInExecutor<Value: Sendable>(
    _ executor: ThreadPool?, _ work: @escaping @Sendable () throws -> Value
  ) throws(EventLoopError) -> Future<Value> {
    try runInExecutor(executor, for: "runInExecutor", work)
  }

  /// - Parameter operation: what the thread is for, for messages.
  final func runInExecutor<Value: Sendable>(
    _ executor: ThreadPool?, for operation: String, _ work: @escaping @Sendable () throws -> Value
  ) throws(EventLoopError) -> Future<Value> {
    if isClosed { throw .closed("runInExecutor") }
    guard let pool = executor ?? defaultExecutor() else {
      throw EventLoopError(
        .executorShutDown, "runInExecutor: the default executor of this loop is shut down. Give your own ThreadPool.")
    }
    let future = Future<Value>(loop: self)
    let answer = pool.add {
      // Cancelled while it was queued: the result is no longer wanted.
      if future.isDone { return }
      future.complete(Result { try work() })
    }
    switch answer {
    case .taken: break
    case .isShutDown: throw EventLoopError(.executorShutDown, "\(operation): the thread pool is shut down.")
    case .noThread(let error): future.complete(.failure(IOError.noThread(error, for: operation)))
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

  /// Run blocking work on the default executor and suspend until it has ended, even if the task is cancelled: what the
  /// work uses may go after the return. Loop thread. Throws code `executorShutDown`, ``IOError`` without a thread.
  final func runToEnd<Value: Sendable>(
    _ operation: String, _ work: @escaping @Sendable () -> Value
  ) async throws -> Value {
    if isClosed { throw EventLoopError.closed(operation) }
    let outcome: Result<Value, any Error> = await withUnsafeContinuation { continuation in
      switch defaultExecutor()?.add({ continuation.resume(returning: .success(work())) }) ?? .isShutDown {
      case .taken: break
      case .noThread(let error): continuation.resume(returning: .failure(IOError.noThread(error, for: operation)))
      case .isShutDown:
        continuation.resume(
          returning: .failure(
            EventLoopError(.executorShutDown, "\(operation): the default executor of this loop is shut down.")))
      }
    }
    return try outcome.get()
  }

  /// Replace the default executor; the earlier one is not shut down. Any thread. Answers `set_default_executor`.
  public final func setDefaultExecutor(_ executor: ThreadPool) {
    shared.withLock { $0.defaultExecutor = executor }
  }

  /// Shut down the default executor and wait for its work, at most `timeout`; `nil` waits without limit. Answers
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
      // The waiting task was cancelled: it waits no longer.
    }
  }
}

extension EventLoop {
  /// Runs the body as a task on this loop, in the calling thread, until it ends. For synchronous code; inside a task
  /// the asynchronous form is the one to use, and this one throws code `runInsideTask`: a loop that blocks a thread of
  /// the pool starves it.
  ///
  /// The loop is not closed: it may run again, also in another thread.
  public func run<Value: Sendable>(_ body: sending @escaping () async throws -> Value) throws -> Value {
    let isInsideTask = withUnsafeCurrentTask { $0 != nil }
    if isInsideTask {
      throw EventLoopError(
        .runInsideTask,
        "loop.run was called synchronously inside a task, whose thread it would block. Use `try await loop.run { }`.")
    }
    try refuseNestedRun()
    if LoopIntake.running != nil {
      throw EventLoopError(
        .anotherLoopRunning, "run: another event loop runs in this thread. Await the asynchronous form in a task.")
    }
    let future = Future<Value>(loop: self)
    _ = startMain(body, future)
    return try runUntilComplete(future)
  }

  /// Runs the body as a task on this loop, on a thread of the loop's own, and suspends the caller until it has ended.
  /// Cancelling the caller cancels the body.
  public func run<Value: Sendable>(_ body: sending @escaping () async throws -> Value) async throws -> Value {
    try refuseNestedRun()
    let future = Future<Value>(loop: self)
    let main = startMain(body, future)
    let failure = await withTaskCancellationHandler {
      await withUnsafeContinuation { (ended: UnsafeContinuation<(any Error)?, Never>) in
        Thread.detach(name: "asyncio loop") {
          do {
            _ = try self.runUntilComplete(future)
            ended.resume(returning: nil)
          } catch {
            // A run that lost against another one must not have its body run by the winner.
            if (error as? EventLoopError)?.code == .alreadyRunning { future.complete(.failure(error)) }
            ended.resume(returning: error)
          }
        }
      }
    } onCancel: {
      main.cancel()
    }
    if let failure, !future.isDone { throw failure }
    return try future.result()
  }

  /// Refuses before a task is made: a refused run must leave nothing behind.
  private func refuseNestedRun() throws(EventLoopError) {
    if isClosed { throw .closed("run") }
    if isRunning {
      throw EventLoopError(
        .alreadyRunning, "run: this event loop runs already. Await the work directly, or use createTask.")
    }
  }

  /// The task of the body; its outcome goes to the future.
  func startMain<Value: Sendable>(
    _ body: sending @escaping () async throws -> Value, _ future: Future<Value>
  ) -> Task<Void, Never> {
    nonisolated(unsafe) let body = body  // sent here, used by the one task below
    @Sendable func main() async {
      if future.isDone { return }
      do {
        future.complete(.success(try await body()))
      } catch is CancellationError {
        future.cancel()
      } catch {
        future.complete(.failure(error))
      }
    }
    if let core = self as? BaseEventLoop { return core.startTask(main) }
    return Task(executorPreference: taskExecutor) { await main() }
  }
}

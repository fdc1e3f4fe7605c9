internal import SystemPackage

extension EventLoop {
  /// Run the body as a task on this loop, in the calling thread, until it ends. For synchronous code: inside a task
  /// this form throws code `runInsideTask`, because blocking a thread of the pool starves it. Use the asynchronous form
  /// there.
  ///
  /// The loop is not closed: it may run again, even in another thread.
  public func run<Value: Sendable>(_ body: sending @escaping () async throws -> Value) throws -> Value {
    let isInsideTask = withUnsafeCurrentTask { $0 != nil }
    if isInsideTask {
      throw EventLoopError.runInsideTask("loop.run", "try await loop.run { }")
    }
    try refuseNestedRun()
    if LoopIntake.running != nil {
      throw EventLoopError(
        .anotherLoopRunning, "run: another event loop is running in this thread. Await the asynchronous form in a task."
      )
    }
    return try runUntilComplete(startMain(body))
  }

  /// Run the body as a task on this loop, on a thread of the loop's own, and suspend the caller until it has ended.
  /// Cancelling the caller cancels the body. Throws ``IOError`` `.resourceTemporarilyUnavailable` if the system cannot
  /// start a thread; the body has then not begun.
  public func run<Value: Sendable>(_ body: sending @escaping () async throws -> Value) async throws -> Value {
    try refuseNestedRun()
    // Before the task is made, which could not be undone.
    let thread = try LoopThread()
    let main = startMain(body)
    let failure = await withTaskCancellationHandler {
      await withUnsafeContinuation { (ended: UnsafeContinuation<(any Error)?, Never>) in
        thread.begin {
          do {
            _ = try self.runUntilComplete(main)
            ended.resume(returning: nil)
          } catch {
            // A run that lost the race against another must not leave its body for the winner to run.
            if (error as? EventLoopError)?.code == .alreadyRunning { main.complete(.failure(error)) }
            ended.resume(returning: error)
          }
        }
      }
    } onCancel: {
      main.cancel()
    }
    if let failure, !main.isDone { throw failure }
    return try main.result()
  }

  /// Refuse before a task is made: a refused run must leave nothing behind.
  private func refuseNestedRun() throws(EventLoopError) {
    if isClosed { throw .closed("run") }
    if isRunning {
      throw EventLoopError(
        .alreadyRunning, "run: this event loop is already running. Await the work directly, or use createTask.")
    }
  }

  /// Make the task of the body.
  private func startMain<Value: Sendable>(_ body: sending @escaping () async throws -> Value) -> LoopTask<Value> {
    let main = LoopTask<Value>(loop: self, name: nil, site: CallSite(), isBodyOfRun: true)
    LoopTaskRegistry.shared.insert(main, for: self)
    main.start(body)
    return main
  }
}

/// A thread that waits for its one piece of work. The code that makes one must begin it.
private final class LoopThread: Sendable {
  private let gate = ThreadGate()
  private let work = Lock<(@Sendable () -> Void)?>(nil)

  init() throws(IOError) {
    do throws(Errno) {
      try Thread.detach(name: "asyncio loop") { [self] in
        gate.wait()
        work.withLock { $0.take() }?()
      }
    } catch {
      throw IOError.noThread(error, for: "the run of a loop")
    }
  }

  func begin(_ body: @escaping @Sendable () -> Void) {
    work.withLock { $0 = body }
    gate.open()
  }
}

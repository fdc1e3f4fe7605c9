internal import SystemPackage

extension EventLoop {
  /// Runs the body as a task on this loop, in the calling thread, until it ends. For synchronous code; inside a task
  /// the asynchronous form is the one to use, and this one throws code `runInsideTask`: a loop that blocks a thread of
  /// the pool starves it.
  ///
  /// The loop is not closed: it may run again, also in another thread.
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

  /// Runs the body as a task on this loop, on a thread of the loop's own, and suspends the caller until it has ended.
  /// Cancelling the caller cancels the body. Throws ``IOError``, `.resourceTemporarilyUnavailable`, if the system has no
  /// thread left; then nothing was begun.
  public func run<Value: Sendable>(_ body: sending @escaping () async throws -> Value) async throws -> Value {
    try refuseNestedRun()
    // Before the task, which could not be taken back.
    let thread = try LoopThread()
    let main = startMain(body)
    let failure = await withTaskCancellationHandler {
      await withUnsafeContinuation { (ended: UnsafeContinuation<(any Error)?, Never>) in
        thread.begin {
          do {
            _ = try self.runUntilComplete(main)
            ended.resume(returning: nil)
          } catch {
            // A run that lost against another one must not have its body run by the winner.
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

  /// Refuses before a task is made: a refused run must leave nothing behind.
  private func refuseNestedRun() throws(EventLoopError) {
    if isClosed { throw .closed("run") }
    if isRunning {
      throw EventLoopError(
        .alreadyRunning, "run: this event loop is already running. Await the work directly, or use createTask.")
    }
  }

  /// The task of the body.
  private func startMain<Value: Sendable>(_ body: sending @escaping () async throws -> Value) -> LoopTask<Value> {
    let main = LoopTask<Value>(loop: self, name: nil, site: CallSite(), isBodyOfRun: true)
    LoopTaskRegistry.shared.insert(main, for: self)
    main.start(body)
    return main
  }
}

/// A thread that waits for the one thing that it is to do. Whoever makes one has to begin it.
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

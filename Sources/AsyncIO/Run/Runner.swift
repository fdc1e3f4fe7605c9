/// Runs one body after the other on one loop, from synchronous code. Answers `asyncio.Runner`.
///
/// ```swift
/// let runner = Runner()
/// defer { try? runner.close() }
/// try runner.run { try await prepare() }
/// let answer = try runner.run { try await work() }
/// ```
/// The loop is made when it is first needed, by `loopFactory`, or by the current policy, which then also sees it set as
/// current, and unset by ``close()``. Between the runs it stands still: what `createTask` began goes on in the next one,
/// timers too, and handlers, executors and the task factory stay. Task-local values are those of the code that calls
/// ``run(_:)``, as everywhere in Swift; a body cannot set one beyond its own end, so what runs share beside the loop is
/// what is bound around them, an object for instance.
///
/// **Ctrl-C.** In the main thread, and where `SIGINT` has its default action, a run takes the signal for its time. The
/// first one cancels the body; if it ends as cancelled by this, and by nothing else, ``KeyboardInterrupt`` is thrown,
/// and its value is returned if it does not mind. The second one ends the run at once with ``KeyboardInterrupt``,
/// wherever the body is. A third one ends the process. Afterwards the signal has its default action again, unless
/// somebody has put another one there.
///
/// A runner is for one thread, and is not `Sendable`. One that is dropped without ``close()`` leaves its tasks alone.
public final class Runner {
  /// What the loop has while the runner is in use.
  public enum Extent: Hashable, Sendable {
    /// Its bodies, their child tasks, and `createTask`. The rest of the process stays where it is, and any number of
    /// such runners may be in use, each in its thread.
    case scope
    /// The whole process: the main actor, every task, default actors and `Task.sleep`, too, from the first use until
    /// ``Runner/close()``. That is ``AsyncIO/run(debug:loopFactory:_:)-1uncn`` with more than one body, and its
    /// conditions.
    case process
  }

  private enum State {
    case unused
    case open(any EventLoop, policy: (any EventLoopPolicy)?)
    case closed
  }

  private let extent: Extent
  private let debug: Bool?
  private let loopFactory: (() throws -> any EventLoop)?
  private var state = State.unused

  /// A runner. No loop is made yet.
  ///
  /// - Parameters:
  ///   - extent: what the loop has.
  ///   - debug: turns the loop's debug mode on or off; nil leaves what `ASYNCIO_DEBUG` says.
  ///   - loopFactory: makes the loop; the policy is then not consulted.
  public init(
    _ extent: Extent = .scope, debug: Bool? = nil, loopFactory: (() throws -> any EventLoop)? = nil
  ) {
    self.extent = extent
    self.debug = debug
    self.loopFactory = loopFactory
  }

  /// The runner's loop; makes it if it is not there yet. Throws code `closed` after ``close()``, and what making a loop
  /// throws. Answers `get_loop()`.
  public func getLoop() throws -> any EventLoop {
    switch state {
    case .open(let loop, _): return loop
    case .closed: throw EventLoopError(.closed, "the runner is closed. Make a new Runner.")
    case .unused: return try open()
    }
  }

  private func open() throws -> any EventLoop {
    let policy = loopFactory == nil ? getEventLoopPolicy() : nil
    guard let loop = try loopFactory?() ?? policy?.newEventLoop() else { preconditionFailure("one of them is there") }
    if let debug { loop.isDebug = debug }
    // First what may be refused: a refused run leaves the thread's context as it is.
    if extent == .process, let core = loop as? BaseEventLoop {
      do { try ProcessExecutors.install(core) } catch {
        try? loop.close()
        throw error
      }
      DispatchMain.serve(by: core)
    }
    policy?.setEventLoop(loop)
    state = .open(loop, policy: policy)
    return loop
  }

  /// Runs the body as a task on the runner's loop, in this thread, until it has ended, and returns its value or throws
  /// its error. Other tasks of the loop that have not ended then stand still until the next run. Answers `run()`.
  ///
  /// Throws code `anotherLoopRunning` in a thread that runs a loop, `runInsideTask` in a task, whose thread it would
  /// block, `closed` after ``close()``, and ``KeyboardInterrupt``.
  @available(*, noasync, message: "it blocks the thread; use `try await AsyncIO.run { }`")
  public func run<Value: Sendable>(_ body: sending @escaping () async throws -> Value) throws -> Value {
    try refuseInsideRun("Runner.run")
    let loop = try getLoop()
    let main = try loop.createTask(body)
    let interruption = Interruption.begin(on: loop) { main.cancel($0) }
    let outcome = Result { try loop.runUntilComplete(main) }
    if interruption?.end() == true { throw KeyboardInterrupt() }
    // One request to cancel: the one of the signal. With another one it would have been cancelled anyway.
    if interruption?.hasCancelled == true, main.isCancelled, main.uncancel() == 0 { throw KeyboardInterrupt() }
    return try outcome.get()
  }

  /// Cancels the tasks of the loop that have not ended and waits for them, shuts the default executor down, waiting at
  /// most 300 seconds for its work, and closes the loop. Errors of those tasks are reported to the exception handler.
  /// Does nothing the second time. Throws code `alreadyRunning` inside a run, `runInsideTask` in a task. Answers
  /// `close()`.
  public func close() throws {
    guard case .open(let loop, let policy) = state else {
      state = .closed
      return
    }
    if loop.isRunning {
      throw EventLoopError(.alreadyRunning, "Runner.close: the runner's loop is running. Close it after the run.")
    }
    try refuseInsideRun("Runner.close")
    state = .closed
    defer {
      policy?.setEventLoop(nil)
      if extent == .process, let core = loop as? BaseEventLoop { ProcessExecutors.uninstall(core) }
      try? loop.close()
    }
    // The program may have closed it; then there is nothing left to wait for.
    if loop.isClosed { return }
    try loop.run {
      await endTasks(of: loop)
      await loop.shutdownDefaultExecutor(timeout: .seconds(300))
    }
  }
}

func refuseInsideRun(_ operation: String) throws(EventLoopError) {
  if LoopIntake.running != nil {
    throw EventLoopError(
      .anotherLoopRunning,
      "\(operation): an event loop is already running in this thread. Await your code, or use another thread.")
  }
  let isInsideTask = withUnsafeCurrentTask { $0 != nil }
  if isInsideTask {
    throw .runInsideTask(operation, "try await AsyncIO.run { }")
  }
}

/// Cancels what has not ended on the loop, and waits for it. Nobody else will look at its errors.
package func endTasks(of loop: any EventLoop) async {
  let left = loop.unfinishedTasks.filter { $0 !== currentTask() }
  for task in left { task.cancel("the runner was closed") }
  for task in left {
    guard let error = await task.waitUntilDone() else { continue }
    var context = ExceptionContext(message: "unhandled error during the shutdown of a run", exception: error)
    context.task = task.taskName
    loop.callExceptionHandler(context)
  }
}

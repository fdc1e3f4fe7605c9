/// Runs one body after another on one loop, from synchronous code. Answers `asyncio.Runner`.
///
/// ```swift
/// let runner = Runner()
/// defer { try? runner.close() }
/// try runner.run { try await prepare() }
/// let answer = try runner.run { try await work() }
/// ```
/// The loop is made when it is first needed, by `loopFactory`, or by the current policy, which then also has it set as
/// current, and unset by ``close()``. Between runs the loop stands still: what `createTask` began and the timers go on
/// in the next run, and handlers, executors and the task factory stay. Task-local values are those of the code that
/// calls ``run(_:)``, as everywhere in Swift. A task-local value that a body binds ends with the body; to share state
/// between runs use the loop, or an object bound around them.
///
/// **Ctrl-C.** In the main thread, if `SIGINT` has its default action, a run handles the signal while it lasts. The
/// first one cancels the body. If the body ends as cancelled by this and by nothing else, ``KeyboardInterrupt`` is
/// thrown; if it returns a value all the same, that is returned. The second one ends the run at once with
/// ``KeyboardInterrupt``, wherever the body is. A third one ends the process. Afterwards the signal has its default
/// action again, unless other code has installed an action meanwhile.
///
/// A runner belongs to one thread, and is not `Sendable`. Dropping one without ``close()`` leaves its tasks alone.
public final class Runner {
  /// What the loop takes over while the runner is in use.
  public enum Extent: Hashable, Sendable {
    /// Its bodies, their child tasks, and `createTask`. The rest of the process stays where it is, and any number of
    /// such runners may be in use, each in its own thread.
    case scope
    /// The whole process, from the first use until ``Runner/close()``: the main actor, every task, default actors and
    /// `Task.sleep`. That is ``AsyncIO/run(debug:loopFactory:_:)-1uncn`` with more than one body, under the same
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

  /// Create a runner. No loop is made yet.
  ///
  /// - Parameters:
  ///   - extent: what the loop takes over.
  ///   - debug: turns the loop's debug mode on or off; nil leaves what `ASYNCIO_DEBUG` says.
  ///   - loopFactory: makes the loop; the policy is then not consulted.
  public init(
    _ extent: Extent = .scope, debug: Bool? = nil, loopFactory: (() throws -> any EventLoop)? = nil
  ) {
    self.extent = extent
    self.debug = debug
    self.loopFactory = loopFactory
  }

  /// Return the runner's loop, which is made on first use. Throws code `closed` after ``close()``, and what making a
  /// loop throws. Answers `get_loop()`.
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
    // What may be refused comes first: a refused run leaves the thread's context as it is.
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

  /// Run the body as a task on the runner's loop, in this thread, until it has ended, and return its value or throw its
  /// error. Other tasks of the loop that have not ended then stand still until the next run. Answers `run()`.
  ///
  /// Throws code `anotherLoopRunning` in a thread that runs a loop, `runInsideTask` in a task (whose thread it would
  /// block), `closed` after ``close()``, and ``KeyboardInterrupt``.
  @available(*, noasync, message: "it blocks the thread; use `try await AsyncIO.run { }`")
  public func run<Value: Sendable>(_ body: sending @escaping () async throws -> Value) throws -> Value {
    try refuseInsideRun("Runner.run")
    let loop = try getLoop()
    let main = try loop.createTask(body)
    let interruption = Interruption.begin(on: loop) { main.cancel($0) }
    let outcome = Result { try loop.runUntilComplete(main) }
    if interruption?.end() == true { throw KeyboardInterrupt() }
    // A single request to cancel is the signal's. If there were two, the body would have been cancelled anyway.
    if interruption?.hasCancelled == true, main.isCancelled, main.uncancel() == 0 { throw KeyboardInterrupt() }
    return try outcome.get()
  }

  /// Cancel the unfinished tasks of the loop and wait for them, shut down the default executor, waiting at most 300
  /// seconds for its work, and close the loop. Errors of those tasks are reported to the exception handler. A second
  /// call does nothing. Throws code `alreadyRunning` inside a run, `runInsideTask` in a task. Answers `close()`.
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

/// Cancel what has not ended on the loop, and wait for it. No other code will look at its errors.
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

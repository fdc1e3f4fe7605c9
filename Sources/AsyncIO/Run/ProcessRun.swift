internal import Synchronization

/// Runs the body on a loop that has the whole process: the main actor, every task, default actors and `Task.sleep`
/// run on it, in this thread, until the body ends. Answers `asyncio.run()`.
///
/// The loop is made by `loopFactory`, or by the current policy, which then also sees it set as current and unset at
/// the end. Afterwards tasks made by `createTask` are cancelled and awaited, and the body, too, if an
/// ``InterruptError`` or `stop()` ended the run before it; the default executor is shut down (at most 300 seconds),
/// and the loop is closed. Jobs that are left wait for the next such run.
///
/// Call it from synchronous code before any task was made: the first thing in `main`, or by way of ``AsyncProgram``.
/// A later first call throws code `runtimeAlreadyStarted`; inside a program that has its tasks already use
/// `loop.run { }`. Throws code `anotherLoopRunning` in a thread that runs a loop, and while a loop of another thread
/// has the process.
public func run<Value: Sendable>(
  debug: Bool? = nil, loopFactory: (() throws -> any EventLoop)? = nil,
  _ body: sending @escaping () async throws -> Value
) throws -> Value {
  try refuseInsideRun()
  let policy = getEventLoopPolicy()
  let loop = try loopFactory?() ?? policy.newEventLoop()
  defer { try? loop.close() }
  if let debug { loop.isDebug = debug }
  let core = loop as? BaseEventLoop
  // First what may be refused: a refused run leaves the thread's context as it is.
  if let core { try ProcessExecutors.install(core) }
  defer { if let core { ProcessExecutors.uninstall(core) } }
  let usesPolicy = loopFactory == nil
  if usesPolicy { policy.setEventLoop(loop) }
  defer { if usesPolicy { policy.setEventLoop(nil) } }
  let future = Future<Value>(loop: loop)
  let main = loop.startMain(body, future)
  let outcome = Result { try loop.runUntilComplete(future) }
  // An interrupt or a stop() leaves the body suspended; whatever ended the run, its code ends before it returns.
  if !future.isDone { main.cancel() }
  try loop.run {
    await main.value
    await endTasks(of: loop)
    await loop.shutdownDefaultExecutor(timeout: .seconds(300))
  }
  return try outcome.get()
}

private func refuseInsideRun() throws(EventLoopError) {
  if LoopIntake.running != nil {
    throw EventLoopError(
      .anotherLoopRunning,
      "AsyncIO.run: an event loop runs in this thread already. Await your code, or use another thread.")
  }
  let isInsideTask = withUnsafeCurrentTask { $0 != nil }
  if isInsideTask {
    throw EventLoopError(
      .runInsideTask,
      "AsyncIO.run was called inside a task. Call it from a synchronous main, or use `try await loop.run { }` here.")
  }
}

/// Cancels what `createTask` made and has not ended, and waits for it. Nobody else will look at its errors.
private func endTasks(of loop: any EventLoop) async {
  let left = loop.unfinishedTasks
  for task in left { task.cancel(nil) }
  for task in left {
    guard let error = await task.waitUntilDone() else { continue }
    var context = ExceptionContext(message: "unhandled error during the shutdown of AsyncIO.run", exception: error)
    context.task = task.taskName
    loop.callExceptionHandler(context)
  }
}

/// A program whose whole process runs on one event loop.
///
/// ```swift
/// @main struct Echo: AsyncProgram {
///   static func run() async throws { … }
/// }
/// ```
/// The loop is the one of ``policy``. An error that leaves `run()` is printed to standard error and ends the process
/// with status 1.
public protocol AsyncProgram: SendableMetatype {
  /// Decides the loop; by default the current policy does.
  static var policy: any EventLoopPolicy { get }
  /// The program.
  static func run() async throws
}

extension AsyncProgram {
  /// The current policy.
  public static var policy: any EventLoopPolicy { getEventLoopPolicy() }

  /// The entry point: takes the process over and runs the program.
  public static func main() {
    do {
      try withEventLoopPolicy(policy) {
        try AsyncIO.run { try await Self.run() }
      }
    } catch {
      reportAndExit(error)
    }
  }
}

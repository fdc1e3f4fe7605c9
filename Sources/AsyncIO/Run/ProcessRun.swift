/// Runs the body on a loop that has the whole process: the main actor, every task, default actors and `Task.sleep`
/// run on it, in this thread, until the body ends. Answers `asyncio.run()`.
///
/// It is a ``Runner`` of the whole process with one body: the loop is made by `loopFactory`, or by the current policy,
/// which then also sees it set as current and unset at the end. Ctrl-C cancels the body. Afterwards tasks made by
/// `createTask` are cancelled and awaited, and the body, too, if an ``InterruptError`` or `stop()` ended the run before
/// it; the default executor is shut down (at most 300 seconds), and the loop is closed. Jobs that are left wait for the
/// next such run.
///
/// Call it from synchronous code before any task was made: the first thing in `main`, or by way of ``AsyncProgram``.
/// A later first call throws code `runtimeAlreadyStarted`; inside a program that has its tasks already use
/// `loop.run { }`. Throws code `anotherLoopRunning` in a thread that runs a loop, and while a loop of another thread
/// has the process.
public func run<Value: Sendable>(
  debug: Bool? = nil, loopFactory: (() throws -> any EventLoop)? = nil,
  _ body: sending @escaping () async throws -> Value
) throws -> Value {
  try refuseInsideRun("AsyncIO.run")
  let runner = Runner(.process, debug: debug, loopFactory: loopFactory)
  do {
    let value = try runner.run(body)
    try runner.close()
    return value
  } catch {
    // An interrupt or a stop() leaves the body suspended; whatever ended the run, its code ends before it returns.
    try? runner.close()
    throw error
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
/// with status 1. ``KeyboardInterrupt`` ends it as Ctrl-C ends any program, by the signal.
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
    } catch is KeyboardInterrupt {
      KeyboardInterrupt.endProcess()
    } catch {
      reportAndExit(error)
    }
  }
}

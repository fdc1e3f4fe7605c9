/// Run the body on a loop that takes over the whole process: the main actor, every task, default actors and
/// `Task.sleep` run on it, in this thread, until the body ends. Answers `asyncio.run()`.
///
/// This is a ``Runner`` of the whole process with one body: the loop is made by `loopFactory`, or by the current
/// policy, which then also has it set as current and unset at the end. Ctrl-C cancels the body. Afterwards the tasks of
/// `createTask` are cancelled and awaited, and so is the body if an ``InterruptError`` or `stop()` ended the run before
/// it; the default executor is shut down (within at most 300 seconds), and the loop is closed. Jobs that are left wait
/// for the next such run.
///
/// Call it from synchronous code before any task is made: first thing in `main`, or through ``AsyncProgram``. A first
/// call that comes later throws code `runtimeAlreadyStarted`; in a program that already has tasks use `loop.run { }`.
/// Throws code `anotherLoopRunning` in a thread that runs a loop, and while a loop of another thread has the process.
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
    // An interrupt or a stop() leaves the body suspended. Whatever ended the run, the body's code ends before this
    // returns.
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
/// ``policy`` decides which loop. An error that leaves `run()` is printed to standard error and ends the process with
/// status 1. ``KeyboardInterrupt`` ends it by the signal, as Ctrl-C ends any program.
public protocol AsyncProgram: SendableMetatype {
  /// The policy that makes the loop; the current policy by default.
  static var policy: any EventLoopPolicy { get }
  /// Run the program.
  static func run() async throws
}

extension AsyncProgram {
  /// The current policy.
  public static var policy: any EventLoopPolicy { getEventLoopPolicy() }

  /// Take over the process and run the program: the entry point.
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

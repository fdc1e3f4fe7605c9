/// What an event loop refuses, and why. The description names the cause and the fix.
///
/// Answers asyncio's `RuntimeError`, `ValueError` and `TypeError` of the same calls.
public struct EventLoopError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of refusal, for code that handles one of them. There may be more of them later, so code that tells them
  /// apart needs a default.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Name {
      case closed, alreadyRunning, anotherLoopRunning, noRunningLoop, noCurrentLoop, wrongThread,
        stoppedBeforeCompletion, invalidArgument, foreignLoop, runInsideTask, wouldBlock,
        runtimeAlreadyStarted, executorShutDown, notOffered, busy, invalidState, invalidConfiguration
    }

    private let name: Name

    private init(_ name: Name) { self.name = name }

    /// Its name.
    public var description: String { "\(name)" }

    /// The loop is closed.
    public static var closed: Code { Code(.closed) }
    /// This loop is already running, here or in another thread.
    public static var alreadyRunning: Code { Code(.alreadyRunning) }
    /// Another loop is running in this thread.
    public static var anotherLoopRunning: Code { Code(.anotherLoopRunning) }
    /// No loop is running in this thread.
    public static var noRunningLoop: Code { Code(.noRunningLoop) }
    /// No current loop is set in this context.
    public static var noCurrentLoop: Code { Code(.noCurrentLoop) }
    /// The call came from a thread that does not run the loop.
    public static var wrongThread: Code { Code(.wrongThread) }
    /// The loop was stopped before the awaited work had ended.
    public static var stoppedBeforeCompletion: Code { Code(.stoppedBeforeCompletion) }
    /// An argument is out of range.
    public static var invalidArgument: Code { Code(.invalidArgument) }
    /// The object belongs to another loop.
    public static var foreignLoop: Code { Code(.foreignLoop) }
    /// A synchronous run was requested inside a task.
    public static var runInsideTask: Code { Code(.runInsideTask) }
    /// The call would block a thread that runs an event loop or tasks.
    public static var wouldBlock: Code { Code(.wouldBlock) }
    /// The Swift runtime has run tasks before the loop could become its executor.
    public static var runtimeAlreadyStarted: Code { Code(.runtimeAlreadyStarted) }
    /// The loop's executor for blocking work is shut down.
    public static var executorShutDown: Code { Code(.executorShutDown) }
    /// The loop's kind does not offer the operation.
    public static var notOffered: Code { Code(.notOffered) }
    /// Another task is using the object in the same way.
    public static var busy: Code { Code(.busy) }
    /// The future or task is in the wrong state for the call.
    public static var invalidState: Code { Code(.invalidState) }
    /// The configuration names something that does not exist.
    public static var invalidConfiguration: Code { Code(.invalidConfiguration) }
  }

  /// What was refused, for code.
  public let code: Code
  /// What was refused and what to do about it, for people.
  public let description: String

  /// Create an error, for loops and policies of your own.
  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  static func closed(_ operation: String) -> EventLoopError {
    EventLoopError(.closed, "\(operation): the event loop is closed. Make a new one with newEventLoop().")
  }

  /// The fix depends on the caller: in a task, as all code is under an `async` main, nothing that blocks the thread can
  /// be called.
  static func noRunningLoop(_ lead: String) -> EventLoopError {
    let isInsideTask = withUnsafeCurrentTask { $0 != nil }
    let fix =
      isInsideTask
      ? "Put this code into `try await AsyncIO.run { }`, which works in any task, or into a task of a loop."
      : "Put this code into `try AsyncIO.run { }`, or into a task of a loop."
    return EventLoopError(.noRunningLoop, "\(lead)no event loop is running in this thread. \(fix)")
  }

  static func runInsideTask(_ operation: String, _ form: String) -> EventLoopError {
    EventLoopError(
      .runInsideTask,
      "\(operation) was called synchronously inside a task (an async main is one), whose thread it would block. "
        + "Use `\(form)`, or call it from a synchronous main.")
  }

  static var forked: EventLoopError {
    EventLoopError(
      .invalidState,
      "this process is the child of a fork that was made inside a run of the event loop, and the run is its parent's. "
        + "End the child, or make a loop of its own.")
  }

  static func wrongThread(_ operation: String) -> EventLoopError {
    EventLoopError(
      .wrongThread,
      "\(operation) was called from a thread that does not run this event loop. Use callSoonThreadsafe.")
  }
}

/// An error that ends the run of the loop instead of being reported: it leaves `runForever` as it is. The loop is not
/// closed, and what was queued runs in the next run. Answers Python's `KeyboardInterrupt` and `SystemExit`.
public protocol InterruptError: Error {}

/// The user asked the program to stop.
public struct KeyboardInterrupt: InterruptError, Hashable {
  /// Create an interruption.
  public init() {}
}

/// What an event loop refuses, and why. The description names the cause and the fix.
///
/// Answers asyncio's `RuntimeError`, `ValueError` and `TypeError` of the same calls.
public struct EventLoopError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of refusal, for code that handles one of them.
  public enum Code: Hashable, Sendable {
    /// The loop is closed.
    case closed
    /// This loop runs already, here or in another thread.
    case alreadyRunning
    /// Another loop runs in this thread.
    case anotherLoopRunning
    /// No loop runs in this thread.
    case noRunningLoop
    /// No current loop is set in this context.
    case noCurrentLoop
    /// The call came from a thread that does not run the loop.
    case wrongThread
    /// The loop was stopped before the awaited work had ended.
    case stoppedBeforeCompletion
    /// An argument is out of range.
    case invalidArgument
    /// The object belongs to another loop.
    case foreignLoop
    /// A synchronous run was asked for inside a task.
    case runInsideTask
    /// The call would block a thread that runs an event loop or tasks.
    case wouldBlock
    /// The Swift runtime has run tasks before the loop could become its executor.
    case runtimeAlreadyStarted
    /// The loop's executor for blocking work is shut down.
    case executorShutDown
    /// The loop's kind does not offer the operation.
    case notOffered
    /// Another task uses the object in the same way right now.
    case busy
    /// The future or task is in the wrong state for the call.
    case invalidState
    /// The configuration names something that does not exist.
    case invalidConfiguration
  }

  /// What was refused, for code.
  public let code: Code
  /// What was refused and what to do about it, for people.
  public let description: String

  /// For loops and policies of your own.
  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  static func closed(_ operation: String) -> EventLoopError {
    EventLoopError(.closed, "\(operation): the event loop is closed. Make a new one with newEventLoop().")
  }

  /// The fix depends on where the caller stands: who is in a task, as everybody is under an `async` main, cannot call
  /// what blocks the thread.
  static func noRunningLoop(_ lead: String) -> EventLoopError {
    let isInsideTask = withUnsafeCurrentTask { $0 != nil }
    let fix =
      isInsideTask
      ? "Put this code into `try await AsyncIO.run { }`, which works in any task, or into a task of a loop."
      : "Put this code into `try AsyncIO.run { }`, or into a task of a loop."
    return EventLoopError(.noRunningLoop, "\(lead)no event loop runs in this thread. \(fix)")
  }

  static func runInsideTask(_ operation: String, _ form: String) -> EventLoopError {
    EventLoopError(
      .runInsideTask,
      "\(operation) was called synchronously inside a task (an async main is one), whose thread it would block. "
        + "Use `\(form)`, or call it from a synchronous main.")
  }

  static func wrongThread(_ operation: String) -> EventLoopError {
    EventLoopError(
      .wrongThread,
      "\(operation) was called from a thread that does not run this event loop. Use callSoonThreadsafe.")
  }
}

/// An error that ends the run of the loop instead of being reported: it leaves `runForever` as it is. The loop is
/// not closed and what was queued runs in the next run. Answers Python's `KeyboardInterrupt` and `SystemExit`.
public protocol InterruptError: Error {}

/// The user asked the program to stop.
public struct KeyboardInterrupt: InterruptError, Hashable {
  /// An interruption.
  public init() {}
}

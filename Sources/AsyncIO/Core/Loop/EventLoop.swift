/// An event loop: runs callbacks, Swift jobs, timers and I/O on one thread. Answers asyncio's `AbstractEventLoop`.
///
/// Which loop a program gets is decided by an ``EventLoopPolicy``. The loops of this package are ``BaseEventLoop``s.
///
/// **A loop of your own** starts with an ``IOSelector``: what waits for descriptors, in some hundred lines.
/// ``SelectorEventLoop/init(selector:)`` makes a loop of it that has all that other loops have. A class that conforms
/// to this protocol by itself has less. It runs callbacks, timers, readers, writers, futures, tasks and blocking work
/// as it implements them, and a policy may hand it out. Nothing else works on it: streams, transports, sockets, pipes,
/// processes, names and signals are built on ``BaseEventLoop`` and throw code `notOffered` or `noRunningLoop`, and so
/// do ``sleep(for:)``, time limits and ``getRunningLoop()``, which ask what runs in the thread.
///
/// **Threads.** One thread at a time runs a loop; the next run may be in another thread. Every call is memory-safe from
/// every thread, in release builds too. In debug mode (`ASYNCIO_DEBUG=1`) the calls marked "loop thread" throw
/// ``EventLoopError`` with code `wrongThread` when the loop runs in another thread; without debug mode they take the
/// thread-safe path. Readers and writers always need the loop's thread, and throw in others while it runs. Use
/// ``callSoonThreadsafe(context:site:_:)`` from other threads.
///
/// **Closed loops** refuse to schedule, to register and to run with code `closed`; removals return `false`, `close()`
/// does nothing, and reading properties goes on working.
public protocol EventLoop: AnyObject, Sendable {
  // MARK: Running

  /// Run until ``stop()``. Throws if the loop is closed or already running, or another loop runs in this thread; these
  /// are checked before anything changes. An ``InterruptError`` thrown by a callback leaves through here.
  func runForever() throws
  /// Run until the future is done, and return its value or throw its error. Throws code `foreignLoop` if it belongs to
  /// another loop, `stoppedBeforeCompletion` if the loop was stopped first.
  func runUntilComplete<Value: Sendable>(_ future: Future<Value>) throws -> Value
  /// End the run after the current turn: what was ready when the turn began still runs, and what that queued stays for
  /// the next run. Before a run: the next run makes one turn without waiting. Any thread; wakes the loop.
  func stop()
  /// Drop what is queued, end pending operations, release descriptors. Throws if the loop runs; idempotent.
  func close() throws
  /// True while a thread runs the loop. Any thread.
  var isRunning: Bool { get }
  /// True once the loop was closed, for good. Any thread.
  var isClosed: Bool { get }

  // MARK: Callbacks and time

  /// Run the callback in the next turn, after those queued before. Loop thread.
  @discardableResult
  func callSoon(
    context: CallbackContext, site: CallSite, _ callback: sending @escaping () throws -> Void
  ) throws(EventLoopError) -> Handle
  /// Run the callback in the next turn, from any thread; wakes the loop. See ``callSoon(context:site:_:)``. Its
  /// handle's `cancel()` waits for a callback that is running in the loop's thread.
  @discardableResult
  func callSoonThreadsafe(
    context: CallbackContext, site: CallSite, _ callback: sending @escaping () throws -> Void
  ) throws(EventLoopError) -> Handle
  /// Run the callback at a time, never earlier; equal times run in the order of the calls. Loop thread.
  @discardableResult
  func callAt(
    _ when: EventLoopInstant, context: CallbackContext, site: CallSite,
    _ callback: sending @escaping () throws -> Void
  ) throws(EventLoopError) -> TimerHandle
  /// The current time on the loop's monotonic clock. Any thread.
  func time() -> EventLoopInstant

  // MARK: Descriptors

  /// Run the callback in every turn in which the descriptor can be read, has hung up or failed. This replaces an
  /// earlier reader. The callback sees the scoped policy of this call. Throws `Errno` for a descriptor that is dead
  /// (`EBADF`) or cannot be waited for (`EPERM`: regular files), code `invalidState` if a connection of this package
  /// owns it. Loop thread.
  func addReader(
    _ fileDescriptor: Int32, site: CallSite, _ callback: sending @escaping () throws -> Void
  ) throws
  /// Run the callback in every turn in which the descriptor can be written. See ``addReader(_:site:_:)``. Loop thread.
  func addWriter(
    _ fileDescriptor: Int32, site: CallSite, _ callback: sending @escaping () throws -> Void
  ) throws
  /// Remove the reader. Returns `false` if there was none. The kernel forgets its interest at once. Loop thread.
  @discardableResult
  func removeReader(_ fileDescriptor: Int32) throws -> Bool
  /// Remove the writer. Returns `false` if there was none. Loop thread.
  @discardableResult
  func removeWriter(_ fileDescriptor: Int32) throws -> Bool

  // MARK: Swift's executors

  /// The executor of the loop's tasks: `Task(executorPreference: loop.taskExecutor) { … }`.
  var taskExecutor: any TaskExecutor { get }
  /// The executor of actors that are pinned to the loop: `nonisolated var unownedExecutor` returns its unowned form.
  var serialExecutor: any SerialExecutor { get }

  // MARK: Blocking work

  /// Run blocking work on a thread of the pool (the default one for `nil`) and deliver its result to the loop.
  /// Cancelling the future releases the tasks that await it; work that has started goes on to its end. If neither the
  /// pool nor the system has a thread, the future ends with ``IOError`` `.resourceTemporarilyUnavailable`.
  func runInExecutor<Value: Sendable>(
    _ executor: ThreadPool?, _ work: @escaping @Sendable () throws -> Value
  ) throws(EventLoopError) -> Future<Value>
  /// Replace the default executor. Any thread.
  func setDefaultExecutor(_ executor: ThreadPool)
  /// Shut down the default executor and wait for its work, at most `timeout`; `nil` waits without limit. After the
  /// limit a warning is logged and the threads are left to end alone.
  func shutdownDefaultExecutor(timeout: Duration?) async

  // MARK: Errors and debugging

  /// Gets the errors that no caller can be given; `nil` is the default handler, which logs. Any thread.
  var exceptionHandler: ExceptionHandler? { get set }
  /// Log the error with its context.
  func defaultExceptionHandler(_ context: ExceptionContext)
  /// Report an error: call the handler, and the default one if that throws.
  func callExceptionHandler(_ context: ExceptionContext)
  /// Debug mode: wrong threads are refused, slow callbacks logged, origins kept. `ASYNCIO_DEBUG` gives the initial
  /// value.
  var isDebug: Bool { get set }
  /// A callback or job that takes at least this long is logged in debug mode. 100 ms at first.
  var slowCallbackDuration: Duration { get set }
}

/// Where a call was made, for reports in debug mode.
public struct CallSite: Sendable, CustomStringConvertible {
  /// The file, as `#fileID` has it.
  public var file: StaticString
  /// The line in it.
  public var line: UInt

  /// Note the place of the call, unless one is given.
  public init(file: StaticString = #fileID, line: UInt = #line) {
    self.file = file
    self.line = line
  }

  /// File and line.
  public var description: String { "\(file):\(line)" }
}

/// What a callback sees of the code that scheduled it.
public enum CallbackContext: Sendable {
  /// The scoped policy, which costs nothing when there is none.
  case scopedPolicy
  /// All task-local values as they are at the call. Costs a parked task (about a microsecond).
  case taskLocals
}

// The forms that people type. Their callbacks are `consuming`, and so are the implementation's: a callback that is only
// `sending` is copied by each form that passes it on, which counts its references four more times per call.
extension EventLoop {
  /// Run the callback in the next turn. See the protocol's requirement.
  @discardableResult
  @inlinable
  public func callSoon(
    context: CallbackContext = .scopedPolicy, fileID: StaticString = #fileID, line: UInt = #line,
    _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> Handle {
    try callSoon(context: context, site: CallSite(file: fileID, line: line), callback)
  }

  /// Run the callback soon, from any thread. See the protocol's requirement.
  @discardableResult
  @inlinable
  public func callSoonThreadsafe(
    context: CallbackContext = .scopedPolicy, fileID: StaticString = #fileID, line: UInt = #line,
    _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> Handle {
    try callSoonThreadsafe(context: context, site: CallSite(file: fileID, line: line), callback)
  }

  /// Run the callback at a time on the loop's clock. See the protocol's requirement.
  @discardableResult
  @inlinable
  public func callAt(
    _ when: EventLoopInstant, context: CallbackContext = .scopedPolicy, fileID: StaticString = #fileID,
    line: UInt = #line, _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> TimerHandle {
    try callAt(when, context: context, site: CallSite(file: fileID, line: line), callback)
  }

  /// Run the callback after a delay; zero and negative delays mean the next turn. Answers `call_later`.
  @discardableResult
  @inlinable
  public func callLater(
    _ delay: Duration, context: CallbackContext = .scopedPolicy, fileID: StaticString = #fileID, line: UInt = #line,
    _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> TimerHandle {
    try callAt(
      time().advanced(by: delay), context: context, site: CallSite(file: fileID, line: line), callback)
  }

  /// Run the callback after some seconds. NaN is refused with code `invalidArgument`; infinity never fires. See
  /// ``callLater(_:context:fileID:line:_:)``.
  @discardableResult
  public func callLater(
    seconds: Double, context: CallbackContext = .scopedPolicy, fileID: StaticString = #fileID, line: UInt = #line,
    _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> TimerHandle {
    let delay = try Duration.checked(seconds: seconds, of: "callLater")
    return try callAt(
      time().advanced(by: delay), context: context, site: CallSite(file: fileID, line: line), callback)
  }

  /// Call back while the descriptor can be read. See the protocol's requirement.
  public func addReader(
    _ fileDescriptor: Int32, fileID: StaticString = #fileID, line: UInt = #line,
    _ callback: consuming sending @escaping () throws -> Void
  ) throws {
    try addReader(fileDescriptor, site: CallSite(file: fileID, line: line), callback)
  }

  /// Call back while the descriptor can be written. See the protocol's requirement.
  public func addWriter(
    _ fileDescriptor: Int32, fileID: StaticString = #fileID, line: UInt = #line,
    _ callback: consuming sending @escaping () throws -> Void
  ) throws {
    try addWriter(fileDescriptor, site: CallSite(file: fileID, line: line), callback)
  }

  /// Run blocking work on the default executor. See the protocol's requirement.
  public func runInExecutor<Value: Sendable>(
    _ work: @escaping @Sendable () throws -> Value
  ) throws(EventLoopError) -> Future<Value> {
    try runInExecutor(nil, work)
  }

  /// Create a future bound to this loop. Answers `create_future`.
  public func createFuture<Value: Sendable>(
    of type: Value.Type = Value.self, fileID: StaticString = #fileID, line: UInt = #line
  ) -> Future<Value> {
    Future(loop: self, fileID: fileID, line: line)
  }
}

internal import Synchronization

/// A Swift task that runs on a loop, seen as a future. Answers asyncio's `Task`.
///
/// The loop holds it strongly until it has ended. A task that is cancelled before its first step never runs its body.
/// After that, cancellation is Swift's: a flag that the body sees at its next suspension point and may ignore.
public class LoopTask<Value: Sendable>: Future<Value>, @unchecked Sendable {
  private struct Run {
    var name: String
    /// When it was made, in monotonic nanoseconds, and which Swift task runs its body; noted while origins are kept.
    var made: Int64?
    var identity: UInt?
    var task: Task<Void, Never>?
    var requests = 0
    var message: String?
  }

  private let run: Lock<Run>
  /// True for the body of `loop.run`: the caller handles its end, and it begins even if that is already cancelled.
  private let isBodyOfRun: Bool
  private static var numbers: TaskNumbers { .shared }

  init(loop: any EventLoop, name: String?, site: CallSite, isBodyOfRun: Bool = false) {
    run = Lock(Run(name: name ?? "Task-\(Self.numbers.next())"))
    self.isBodyOfRun = isBodyOfRun
    super.init(loop: loop, fileID: site.file, line: site.line)
    if Observation.keepsOrigins { run.withLock { $0.made = MonotonicTime.now } }
  }

  package final var madeNanoseconds: Int64? { run.withLock { $0.made } }
  package final var identity: UInt? { run.withLock { $0.identity } }

  /// The name; "Task-N" unless the task was given one. It may be changed at any time, and `print`, call graphs and
  /// reports then show the new one. Swift's own `Task.name` is another name: it is fixed when a Swift task is made, and
  /// is nil in the body. Any thread. Answers `get_name()` and `set_name()`.
  public final var taskName: String {
    get { run.withLock { $0.name } }
    set { run.withLock { $0.name = newValue } }
  }

  // Here, and not only in the superclass: the name is gone by then.
  deinit { reportLostError(taskName: taskName) }

  /// Start a task on a loop, past the loop's task factory: this is what factories call. Answers `asyncio.Task()`.
  ///
  /// Throws code `closed` for a closed loop, and in debug mode `wrongThread` for a running loop of another thread.
  public convenience init(
    loop: any EventLoop, _ request: TaskRequest = TaskRequest(), _ body: sending @escaping () async throws -> Value
  ) throws(EventLoopError) {
    if loop.isClosed { throw .closed("createTask") }
    let runsHere = LoopIntake.running?.core === loop
    if loop.isDebug, loop.isRunning, !runsHere { throw .wrongThread("createTask") }
    self.init(loop: loop, name: request.name, site: request.site)
    LoopTaskRegistry.shared.insert(self, for: loop)
    start(eagerly: request.eagerStart == true && runsHere, body)
  }

  /// Begin the task, which is in the registry of its loop until it has ended.
  final func start(eagerly: Bool = false, _ body: sending @escaping () async throws -> Value) {
    nonisolated(unsafe) let body = body  // sent here, used by the one task below
    @Sendable func whole() async {
      await main(body)
      LoopTaskRegistry.shared.remove(self, for: loop)
    }
    let core = loop as? BaseEventLoop
    let task =
      if eagerly {
        // If the loop is the default executor no preference is needed, see `startTask`.
        core?.isProcessWide == true
          ? Task.immediate { await whole() }
          : Task.immediate(executorPreference: loop.taskExecutor) { await whole() }
      } else {
        core?.startTask { await whole() } ?? Task(executorPreference: loop.taskExecutor) { await whole() }
      }
    let cancelled = run.withLock { run in
      run.task = task
      return run.requests > 0
    }
    if cancelled { task.cancel() }
  }

  private func main(_ body: () async throws -> Value) async {
    if isDone { return }
    let cancelledBefore = run.withLock { $0.requests > 0 }
    if cancelledBefore && !isBodyOfRun {
      super.cancel(run.withLock { $0.message })
      return
    }
    LoopTaskRegistry.shared.enter(self)
    if Observation.keepsOrigins { run.withLock { $0.identity = LoopTaskRegistry.identity } }
    // The job of a first step does not say whose it is.
    if site != nil { LoopIntake.running?.core.gauge.nameStep(self) }
    defer { LoopTaskRegistry.shared.leave() }
    do {
      complete(.success(try await body()))
    } catch is CancellationError {
      super.cancel(run.withLock { $0.message })
    } catch {
      complete(.failure(error))
    }
  }

  package override func refuseSelfWait() throws(EventLoopError) {
    guard LoopTaskRegistry.shared.current === self else { return }
    throw EventLoopError(.invalidState, "get: \(taskName) awaits itself and would never end.")
  }

  package final var reportName: String { site.map { "\(taskName), made at \($0)," } ?? taskName }

  package override func describeForGraph() -> String {
    "\(taskName)\(isDone ? " (done)" : cancelling > 0 ? " (cancelling)" : "")"
  }

  /// Ask the task to end. Returns `false` if it is done. It is done when its body has ended, not before.
  @discardableResult
  public override func cancel(_ message: String? = nil) -> Bool {
    if isDone { return false }
    requestCancel(message)
    return true
  }

  final func requestCancel(_ message: String?) {
    let task = run.withLock { run in
      if run.requests == 0 { run.message = message }
      run.requests += 1
      return run.task
    }
    // It may await a task that awaits a task, and so on.
    if let task { Sequel.cancel(task) }
  }

  /// The loop was closed before the body had ended. The task goes on elsewhere, see `LateJobs`.
  package func loopDidClose() {}

  /// The number of cancellations that were requested and not taken back.
  public final var cancelling: Int { run.withLock { $0.requests } }

  /// Take back one request to cancel, and return how many are left. The flag of the Swift task stays set.
  @discardableResult
  public final func uncancel() -> Int {
    run.withLock { run in
      run.requests = max(0, run.requests - 1)
      return run.requests
    }
  }
}

/// Counts tasks for their names.
private final class TaskNumbers: Sendable {
  static let shared = TaskNumbers()
  private let last = Atomic<UInt64>(0)
  func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
}

extension EventLoop {
  /// Start a task on this loop. Answers `create_task`. Throws code `closed` for a closed loop, and in debug mode
  /// `wrongThread` for a running loop of another thread.
  ///
  /// - Parameters:
  ///   - name: for reports; nil makes it "Task-N".
  ///   - eagerStart: true runs the body to its first suspension inside this call; a body that never suspends is done
  ///     when the call returns. That works in the thread that runs the loop; elsewhere the task starts in the ordinary
  ///     way. Nil leaves it to the loop's task factory; without one that is the ordinary way.
  ///   - fileID: where the task is made, for reports in debug mode; as `line`, for the compiler to fill in.
  ///   - line: see `fileID`.
  ///   - body: what the task does. It runs on this loop.
  @discardableResult
  public func createTask<Value: Sendable>(
    name: String? = nil, eagerStart: Bool? = nil, fileID: StaticString = #fileID, line: UInt = #line,
    _ body: sending @escaping () async throws -> Value
  ) throws(EventLoopError) -> LoopTask<Value> {
    let request = TaskRequest(name: name, eagerStart: eagerStart, fileID: fileID, line: line)
    guard let factory = getTaskFactory() else { return try LoopTask(loop: self, request, body) }
    return try factory.makeTask(on: self, request, body)
  }

  /// The tasks of this loop that have not ended, oldest first.
  package var unfinishedTasks: [any CancellableTask] { LoopTaskRegistry.shared.tasks(of: self) }
}

/// A task that a runner ends if it is left over.
package protocol CancellableTask: AnyLoopTask, Awaitable, StepOwner {
  /// When it was made, in monotonic nanoseconds; known if origins were kept then.
  var madeNanoseconds: Int64? { get }
  /// The Swift task that runs its body; known if origins were kept when it began.
  var identity: UInt? { get }
  /// Wait for its end and return its error, unless it was just cancelled.
  func waitUntilDone() async -> (any Error)?
  /// The loop was closed before the task had ended.
  func loopDidClose()
  /// The report of a task that is pending when its loop closes; nil if it is not pending.
  var pendingReport: ExceptionContext? { get }
}

extension LoopTask: CancellableTask {
  package func waitUntilDone() async -> (any Error)? {
    do { _ = try await get() } catch { return isCancelled ? nil : error }
    return nil
  }

  package var pendingReport: ExceptionContext? {
    guard !isBodyOfRun, !isDone else { return nil }
    let wait =
      identity.flatMap { WaitRecords.shared.record(of: $0) }.map { "; it waits for \($0.point.waitText)" } ?? ""
    var context = ExceptionContext(
      message: "an event loop was closed while a task was pending\(wait); cancel the task or await it first")
    context.source = site
    context.task = taskName
    return context
  }
}

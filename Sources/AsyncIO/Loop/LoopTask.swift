internal import Synchronization

/// A Swift task that runs on a loop, seen as a future. Answers asyncio's `Task`.
///
/// The loop holds it strongly until it has ended. A task that is cancelled before its first step never runs its body.
/// After that cancellation is Swift's: a flag that the body sees at its next suspension point and may ignore.
public class LoopTask<Value: Sendable>: Future<Value>, @unchecked Sendable {
  private struct Run {
    var task: Task<Void, Never>?
    var requests = 0
    var message: String?
    /// Which Swift task runs the body, while it does.
    var identity: Int?
  }

  /// "Task-N" unless it was given one.
  public final let taskName: String
  private let run = Lock(Run())
  private static var numbers: TaskNumbers { .shared }

  init(loop: any EventLoop, name: String?, site: CallSite) {
    taskName = name ?? "Task-\(Self.numbers.next())"
    super.init(loop: loop, fileID: site.file, line: site.line)
  }

  // Here and not in the superclass alone: the name is gone by then.
  deinit { reportLostError(taskName: taskName) }

  /// Begins the task, which is in the registry of its loop until it has ended.
  final func start(_ body: sending @escaping () async throws -> Value) {
    nonisolated(unsafe) let body = body  // sent here, used by the one task below
    let task = Task(executorPreference: loop.taskExecutor) {
      await self.main(body)
      LoopTaskRegistry.shared.remove(self, for: self.loop)
    }
    let cancelled = run.withLock { run in
      run.task = task
      return run.requests > 0
    }
    if cancelled { task.cancel() }
  }

  private func main(_ body: () async throws -> Value) async {
    let identity = Self.currentIdentity
    let cancelledBefore = run.withLock { run in
      run.identity = identity
      return run.requests > 0
    }
    defer { run.withLock { $0.identity = nil } }
    if cancelledBefore {
      super.cancel(run.withLock { $0.message })
      return
    }
    do {
      complete(.success(try await body()))
    } catch is CancellationError {
      super.cancel(run.withLock { $0.message })
    } catch {
      complete(.failure(error))
    }
  }

  private static var currentIdentity: Int? { withUnsafeCurrentTask { $0?.hashValue } }

  override func refuseSelfWait() throws(EventLoopError) {
    guard let identity = Self.currentIdentity, run.withLock({ $0.identity == identity }) else { return }
    throw EventLoopError(.invalidState, "get: \(taskName) awaits itself and would never end.")
  }

  /// Asks the task to end; `false` if it is done. It is done when its body has ended, not before.
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
    task?.cancel()
  }

  /// The loop was closed before the body had ended. The task goes on elsewhere, see `LateJobs`.
  package func loopDidClose() {}

  /// How many cancellations were asked for and not taken back.
  public final var cancelling: Int { run.withLock { $0.requests } }

  /// Takes one request to cancel back and returns how many are left. The flag of the Swift task stays set.
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
  /// Starts a task on this loop. Answers `create_task`. Throws code `closed` for a closed loop, and in debug mode
  /// `wrongThread` for a running loop of another thread.
  @discardableResult
  public func createTask<Value: Sendable>(
    name: String? = nil, fileID: StaticString = #fileID, line: UInt = #line,
    _ body: sending @escaping () async throws -> Value
  ) throws(EventLoopError) -> LoopTask<Value> {
    if isClosed { throw .closed("createTask") }
    if isDebug, isRunning, LoopIntake.running?.core !== self { throw .wrongThread("createTask") }
    let task = LoopTask<Value>(loop: self, name: name, site: CallSite(file: fileID, line: line))
    LoopTaskRegistry.shared.insert(task, for: self)
    task.start(body)
    return task
  }

  /// The tasks made by `createTask` that have not ended, oldest first. Answers `all_tasks`.
  package var unfinishedTasks: [any CancellableTask] { LoopTaskRegistry.shared.tasks(of: self) }
}

/// What a runner does to left-over tasks.
package protocol CancellableTask: AnyObject, Sendable {
  var taskName: String { get }
  @discardableResult func cancel(_ message: String?) -> Bool
  /// Waits for its end and returns its error, if it was not just cancelled.
  func waitUntilDone() async -> (any Error)?
  /// The loop was closed before the task had ended.
  func loopDidClose()
  /// What to tell of a task that is pending when its loop closes; nil if it is not.
  var pendingReport: ExceptionContext? { get }
}

extension LoopTask: CancellableTask {
  package func waitUntilDone() async -> (any Error)? {
    do { _ = try await get() } catch { return isCancelled ? nil : error }
    return nil
  }

  package var pendingReport: ExceptionContext? {
    guard !isDone else { return nil }
    var context = ExceptionContext(
      message: "an event loop was closed while a task was pending; cancel the task or await it first")
    context.source = site
    context.task = taskName
    return context
  }
}

/// Holds tasks strongly while they run: asyncio holds them weakly, and background tasks vanish there.
final class LoopTaskRegistry: Sendable {
  static let shared = LoopTaskRegistry()

  private struct Entry {
    var number: UInt64
    var task: any CancellableTask
  }

  private struct State {
    var nextNumber: UInt64 = 0
    var entries: [ObjectIdentifier: [ObjectIdentifier: Entry]] = [:]
  }

  private let state = Lock(State())

  func insert(_ task: any CancellableTask, for loop: any EventLoop) {
    state.withLock { state in
      state.nextNumber += 1
      state.entries[ObjectIdentifier(loop), default: [:]][ObjectIdentifier(task)] = Entry(
        number: state.nextNumber, task: task)
    }
  }

  func remove(_ task: any CancellableTask, for loop: any EventLoop) {
    state.withLock { state in
      state.entries[ObjectIdentifier(loop)]?[ObjectIdentifier(task)] = nil
      if state.entries[ObjectIdentifier(loop)]?.isEmpty == true { state.entries[ObjectIdentifier(loop)] = nil }
    }
  }

  /// In the order in which they were made.
  func tasks(of loop: any EventLoop) -> [any CancellableTask] {
    let entries = state.withLock { $0.entries[ObjectIdentifier(loop)] ?? [:] }
    return entries.values.sorted { $0.number < $1.number }.map(\.task)
  }
}

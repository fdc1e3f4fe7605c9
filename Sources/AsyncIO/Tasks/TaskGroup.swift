/// The errors of a group of tasks, all of them, in the order in which they came. Answers the `ExceptionGroup` of
/// asyncio's `TaskGroup`.
public struct TaskGroupError: Error, CustomStringConvertible {
  /// At least one. Cancellations are not among them.
  public let errors: [any Error]

  init(_ errors: [any Error]) { self.errors = errors }

  /// The errors, in one line.
  public var description: String {
    let texts = errors.map { "\($0)" }.joined(separator: "; ")
    return "\(errors.count) error\(errors.count == 1 ? "" : "s") in a group of tasks: \(texts)"
  }
}

/// Run the body with a group of tasks, wait for all of them, and return what the body returned. Answers asyncio's
/// `TaskGroup`.
///
/// ```swift
/// try await withLoopTaskGroup { group in
///   try group.createTask { try await fetch() }
///   try group.createTask { try await score() }
/// }
/// ```
/// The first error, of a task or of the body, cancels everything else: the other tasks, and the body if it still runs.
/// When all have ended, all the errors are thrown in one ``TaskGroupError``. (Swift's own throwing task groups throw
/// only the first error, and only where it is looked for.) An ``InterruptError`` is thrown as it is. A single task that
/// is cancelled is not an error. Cancelling the caller cancels body and tasks; without other errors this then throws
/// `CancellationError`, and with them the caller is still cancelled.
///
/// The closure does not escape: the body runs in a task of its own on the same loop while the caller waits. Throws code
/// `noRunningLoop` outside of a loop's thread.
@discardableResult
public func withLoopTaskGroup<Value: Sendable>(
  _ body: (LoopTaskGroup) async throws -> Value
) async throws -> Value {
  let core = try runningCore("withLoopTaskGroup")
  // A named function: inside a closure literal the compiler refuses to pass the body on.
  func run(_ body: @escaping (LoopTaskGroup) async throws -> Value) async throws -> Value {
    let group = LoopTaskGroup(core)
    let lent = LentBody {
      do { return try await body(group) } catch {
        group.bodyFailed(error)
        throw error
      }
    }
    defer { lent.takeBack() }
    let main = Task(executorPreference: core.taskFacade) { try await lent.run() }
    group.begin(main.cancel)
    return try await withTaskCancellationHandler {
      try await group.end(await main.result)
    } onCancel: {
      group.cancel()
    }
  }
  return try await withoutActuallyEscaping(body, do: run)
}

/// The tasks of one ``withLoopTaskGroup(_:)``. Any thread.
public final class LoopTaskGroup: Sendable {
  private let core: BaseEventLoop
  private let state = Lock(TaskGroupState())
  /// The task that waits for the tasks in the end.
  private let awaiter = Awaiter.current(CallSite())

  init(_ core: BaseEventLoop) { self.core = core }

  /// Start a task of the group on its loop; a task that a body starts after the group was cancelled is cancelled at
  /// once. Throws code `invalidState` if something in the group has failed, or if it has ended, and what
  /// ``EventLoop/createTask(name:eagerStart:fileID:line:_:)`` throws. Answers `TaskGroup.create_task`.
  @discardableResult
  public func createTask<Value: Sendable>(
    name: String? = nil, eagerStart: Bool? = nil, fileID: StaticString = #fileID, line: UInt = #line,
    _ body: sending @escaping () async throws -> Value
  ) throws(EventLoopError) -> LoopTask<Value> {
    // Counted before it is made: the group must not end in between.
    guard state.withLock({ $0.add() }) else {
      throw EventLoopError(
        .invalidState, "createTask: the group of tasks is shutting down, or has ended. Make a new group.")
    }
    let task: LoopTask<Value>
    do {
      task = try core.createTask(name: name, eagerStart: eagerStart, fileID: fileID, line: line, body)
    } catch {
      apply(state.withLock { $0.ended(nil, with: nil) })
      throw error
    }
    if state.withLock({ $0.started(task) }) { task.cancel() }
    let isDone = task.observe(by: awaiter) { [unowned task] in self.ended(task) } == nil
    if isDone { ended(task) }
    return task
  }

  private func ended<Value: Sendable>(_ task: LoopTask<Value>) {
    var failure: (any Error)?
    if task.hasFailed && !task.isCancelled {
      do { try task.check() } catch { failure = error }
    }
    apply(state.withLock { $0.ended(task, with: failure) })
  }

  /// Cancel what has not ended.
  func cancel() { apply(state.withLock { $0.shutDown() }) }

  func begin(_ cancelBody: @escaping @Sendable () -> Void) {
    if state.withLock({ $0.begin(cancelBody) }) { cancelBody() }
  }

  /// Note that the body throws. Its own task calls this, so that tasks which have not begun by then never do.
  func bodyFailed(_ error: any Error) { apply(state.withLock { $0.bodyFailed(error) }) }

  /// End the body: wait for the tasks and return the group's outcome.
  func end<Value: Sendable>(_ outcome: Result<Value, any Error>) async throws -> Value {
    let end = OneWait<Void>()
    apply(state.withLock { $0.bodyEnded(end) })
    await end.wait()
    let errors = state.withLock { $0.errors }
    if let interrupt = errors.first(where: { $0 is any InterruptError }) { throw interrupt }
    if !errors.isEmpty { throw TaskGroupError(errors) }
    try Task.checkCancellation()
    return try outcome.get()
  }

  private func apply(_ actions: TaskGroupState.Actions) {
    if let cancelBody = actions.cancelBody { Sequel.run(cancelBody) }
    for task in actions.cancelled { task.cancel("the group is shutting down") }
    actions.ended?.end(())
  }
}

/// What a group has to do; its mutations return what follows from them.
struct TaskGroupState {
  struct Actions {
    var cancelBody: (@Sendable () -> Void)?
    var cancelled: [any AnyLoopTask] = []
    var ended: OneWait<Void>?
  }

  private var cancelBody: (@Sendable () -> Void)?
  /// With numbers in the order in which they came: they are cancelled in that order, because the order of a dictionary
  /// differs from run to run.
  private var tasks: [ObjectIdentifier: (number: UInt64, task: any AnyLoopTask)] = [:]
  private var arrivals: UInt64 = 0
  /// The number of tasks that were begun, or are about to be, and have not ended.
  private var pending = 0
  private var isShuttingDown = false
  private var end: OneWait<Void>?
  private(set) var errors: [any Error] = []

  /// Add a task. Returns `false` if there may be no more tasks.
  mutating func add() -> Bool {
    // When the body has ended, tasks may still add tasks; when none is left, the wait is over. A body that is cancelled
    // and does not know it yet must not fail because of that: what it adds is cancelled as well.
    guard errors.isEmpty, end == nil || pending > 0 && !isShuttingDown else { return false }
    pending += 1
    return true
  }

  /// Note a task that has started. Returns `true` if the group was shut down meanwhile, and the task must be cancelled.
  mutating func started(_ task: any AnyLoopTask) -> Bool {
    arrivals += 1
    tasks[ObjectIdentifier(task)] = (arrivals, task)
    return isShuttingDown
  }

  mutating func begin(_ cancelBody: @escaping @Sendable () -> Void) -> Bool {
    self.cancelBody = cancelBody
    return isShuttingDown
  }

  mutating func ended(_ task: (any AnyLoopTask)?, with failure: (any Error)?) -> Actions {
    if let task { tasks[ObjectIdentifier(task)] = nil }
    pending -= 1
    var actions = Actions()
    if let failure {
      errors.append(failure)
      actions = shutDown()
    }
    if pending == 0 { actions.ended = end }
    return actions
  }

  mutating func bodyFailed(_ error: any Error) -> Actions {
    if !(error is CancellationError) { errors.append(error) }
    cancelBody = nil
    return shutDown()
  }

  mutating func bodyEnded(_ end: OneWait<Void>) -> Actions {
    self.end = end
    cancelBody = nil
    return Actions(ended: pending == 0 ? end : nil)
  }

  mutating func shutDown() -> Actions {
    guard !isShuttingDown else { return Actions() }
    isShuttingDown = true
    return Actions(cancelBody: cancelBody, cancelled: tasks.values.sorted { $0.number < $1.number }.map(\.task))
  }
}

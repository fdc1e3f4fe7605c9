internal import CAsyncIO

/// Holds tasks strongly while they run: asyncio holds them weakly, and background tasks vanish there. Knows which of
/// them runs in a Swift task.
final class LoopTaskRegistry: Sendable {
  static let shared = LoopTaskRegistry()

  private struct Entry {
    var number: UInt64
    var task: any CancellableTask
  }

  private struct State {
    var nextNumber: UInt64 = 0
    var entries: [ObjectIdentifier: [ObjectIdentifier: Entry]] = [:]
    /// By the address of the Swift task that is running the body, or a part of it.
    var running: [UInt: any CancellableTask] = [:]
    /// Others than the library's tasks whose steps loops run, by the same; filled while origins are kept.
    var others: [UInt: any StepOwner] = [:]
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

  /// Return the tasks of a loop in the order in which they were made.
  func tasks(of loop: any EventLoop) -> [any CancellableTask] {
    let entries = state.withLock { $0.entries[ObjectIdentifier(loop)] ?? [:] }
    return entries.values.sorted { $0.number < $1.number }.map(\.task)
  }

  /// Return the same with their numbers, which grow as tasks are made; some of them if there are more than `limit`.
  /// Copied one by one: a reference to the whole would make the next task copy it, in a loop's thread.
  func numberedTasks(of loop: any EventLoop, limit: Int) -> [(number: UInt64, task: any CancellableTask)] {
    let some = state.withLock { state in
      state.entries[ObjectIdentifier(loop)]?.values.prefix(limit).map { ($0.number, $0.task) } ?? []
    }
    return some.sorted { $0.0 < $1.0 }
  }

  /// Return the number of tasks of a loop that have not ended.
  func count(of loop: any EventLoop) -> Int { state.withLock { $0.entries[ObjectIdentifier(loop)]?.count ?? 0 } }

  /// One of the loops that run now and have tasks.
  var someRunningLoop: BaseEventLoop? {
    state.withLock { state in
      for entries in state.entries.values {
        if let loop = entries.values.first?.task.loop as? BaseEventLoop, loop.isRunning { return loop }
      }
      return nil
    }
  }

  /// The Swift task that runs here.
  static var identity: UInt? { casyncio_current_task().map { UInt(bitPattern: $0) } }

  /// The task whose body runs here; nil in callbacks, in child tasks and in plain tasks.
  var current: (any CancellableTask)? {
    guard let identity = Self.identity else { return nil }
    return state.withLock { $0.running[identity] }
  }

  /// Return whose body the job continues; nil for jobs of child tasks, plain tasks and actors, and if the job of a task
  /// is not known to be the task itself.
  func owner(ofJob word: LoopWord) -> (any StepOwner)? {
    guard RuntimeKnowledge.jobsOfTasks.isInUse, let address = word.jobAddress else { return nil }
    return owner(of: address)
  }

  /// Return who runs in a Swift task; nil if that is not known.
  func owner(of identity: UInt) -> (any StepOwner)? {
    state.withLock { state in state.running[identity] ?? state.others[identity] }
  }

  /// Note that the calling Swift task runs for `owner`, until `leaveOther`.
  func enterOther(_ owner: any StepOwner) {
    guard let identity = Self.identity else { return }
    state.withLock { $0.others[identity] = owner }
  }

  /// The owner that is not a task, and runs here.
  var currentOther: (any StepOwner)? {
    guard let identity = Self.identity else { return nil }
    return state.withLock { $0.others[identity] }
  }

  func leaveOther() {
    guard let identity = Self.identity else { return }
    _ = state.withLock { $0.others.removeValue(forKey: identity) }
  }

  /// Note that the calling Swift task runs the body of a task, or a part of it, until `leave`.
  func enter(_ task: any CancellableTask) {
    guard let identity = Self.identity else { return }
    state.withLock { $0.running[identity] = task }
  }

  func leave() {
    guard let identity = Self.identity else { return }
    state.withLock { $0.running[identity] = nil }
  }
}

/// A task of `createTask`, of any value type: what can be said about it and done to it from anywhere.
public protocol AnyLoopTask: AnyObject, Sendable {
  /// The name; "Task-N" unless it was given one. It may be changed, and is printed and reported from then on.
  var taskName: String { get set }
  /// The loop that it runs on.
  var loop: any EventLoop { get }
  /// True once its body has ended.
  var isDone: Bool { get }
  /// True if it ended by a cancellation.
  var isCancelled: Bool { get }
  /// The message of the cancellation that won.
  var cancelMessage: String? { get }
  /// The number of cancellations that were requested and not taken back.
  var cancelling: Int { get }
  /// Take back one request to cancel, and return how many are left. The flag of the Swift task stays set.
  @discardableResult func uncancel() -> Int
  /// Ask the task to end. Returns `false` if it is done.
  @discardableResult func cancel(_ message: String?) -> Bool
}

extension AnyLoopTask {
  /// Ask the task to end. Returns `false` if it is done.
  @discardableResult public func cancel() -> Bool { cancel(nil) }
}

/// Return the task of `createTask`, or of a run, whose body runs here; nil in callbacks, in child tasks and in plain
/// tasks. Any thread. Answers `current_task()`.
public func currentTask() -> (any AnyLoopTask)? { LoopTaskRegistry.shared.current }

/// Return the unfinished tasks of the loop, or of the running one, oldest first: those of `createTask` and the body of
/// the run. Any thread, with a loop. Throws code `noRunningLoop` if none is given and none runs here. Answers
/// `all_tasks()`.
public func allTasks(of loop: (any EventLoop)? = nil) throws(EventLoopError) -> [any AnyLoopTask] {
  if let loop { return loop.unfinishedTasks }
  return try runningCore("allTasks").unfinishedTasks
}

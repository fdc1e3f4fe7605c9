internal import Synchronization

/// The arguments of a `createTask` call.
public struct TaskRequest: Sendable {
  /// The task's name; nil for "Task-N".
  public var name: String?
  /// Whether the body runs to its first suspension inside the call; nil leaves that to the factory.
  public var eagerStart: Bool?
  /// Where the call is, for reports in debug mode.
  public var site: CallSite

  /// Create a request; without arguments, for an ordinary task.
  public init(
    name: String? = nil, eagerStart: Bool? = nil, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.name = name
    self.eagerStart = eagerStart
    site = CallSite(file: fileID, line: line)
  }
}

/// Makes the tasks of a loop: wraps their bodies, names them, counts them. Answers the callable of asyncio's
/// `set_task_factory`.
///
/// ```swift
/// struct Traced: TaskFactory {
///   func makeTask<Value: Sendable>(
///     on loop: any EventLoop, _ request: TaskRequest, _ body: sending @escaping () async throws -> Value
///   ) throws(EventLoopError) -> LoopTask<Value> {
///     try LoopTask(loop: loop, request) {
///       log("begins")
///       defer { log("has ended") }
///       return try await body()
///     }
///   }
/// }
/// ```
public protocol TaskFactory: Sendable {
  /// Make one task by ``LoopTask/init(loop:_:_:)``; any thread.
  func makeTask<Value: Sendable>(
    on loop: any EventLoop, _ request: TaskRequest, _ body: sending @escaping () async throws -> Value
  ) throws(EventLoopError) -> LoopTask<Value>
}

/// Starts every task eagerly, unless its request says otherwise. Answers `asyncio.eager_task_factory`.
public struct EagerTaskFactory: TaskFactory {
  /// Create the factory; it has no state.
  public init() {}

  /// Start the task inside the call, in the thread that runs the loop.
  public func makeTask<Value: Sendable>(
    on loop: any EventLoop, _ request: TaskRequest, _ body: sending @escaping () async throws -> Value
  ) throws(EventLoopError) -> LoopTask<Value> {
    var request = request
    request.eagerStart = request.eagerStart ?? true
    return try LoopTask(loop: loop, request, body)
  }
}

extension EventLoop {
  /// Replace the factory of the tasks of `createTask`; nil restores the default. Any thread. Throws code `notOffered`
  /// for loops that do not build on ``BaseEventLoop``. Answers `set_task_factory`.
  public func setTaskFactory(_ factory: (any TaskFactory)?) throws(EventLoopError) {
    let core = try core(for: "setTaskFactory")
    core.shared.withLock { $0.taskFactory = factory }
    core.hasTaskFactory.store(factory != nil, ordering: .releasing)
  }

  /// Return the factory of the tasks of `createTask`; nil is the default. Any thread. Answers `get_task_factory`.
  public func getTaskFactory() -> (any TaskFactory)? {
    guard let core = self as? BaseEventLoop, core.hasTaskFactory.load(ordering: .acquiring) else { return nil }
    return core.shared.withLock { $0.taskFactory }
  }
}

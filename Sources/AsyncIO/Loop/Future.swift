/// A result that will come, bound to a loop. Answers asyncio's `Future`.
///
/// Pending, then done exactly once: with a value, with an error, or cancelled. Callbacks are always queued on the
/// loop, in the order of their registration, also when the future is done already; they never run inside the call
/// that completes it. All methods may be called from any thread: the state is under one lock, which is what makes the
/// unchecked conformance right, and nobody is resumed or called while it is held.
public class Future<Value: Sendable>: @unchecked Sendable {
  /// Names a callback for its removal.
  public struct CallbackToken: Hashable, Sendable { fileprivate let id: UInt64 }

  private enum Waiter {
    case task(UnsafeContinuation<Void, Never>, Awaiter?)
    case thread(ThreadGate)
    case observer(UInt64, Awaiter?, @Sendable () -> Void)

    var awaiter: Awaiter? {
      switch self {
      case .task(_, let awaiter), .observer(_, let awaiter, _): awaiter
      case .thread: nil
      }
    }
  }

  /// What runs when the future is done, in the scoped policy of the code that asked for it, whoever completes it.
  private struct Callback {
    var id: UInt64
    var scope: CarriedScope?
    var body: @Sendable (Future<Value>) -> Void
  }

  private struct State {
    var outcome: Result<Value, any Error>?
    var isCancelled = false
    var message: String?
    var wasRetrieved = false
    var nextID: UInt64 = 0
    var callbacks: [Callback] = []
    var waiters: [Waiter] = []
  }

  /// The loop that runs its callbacks.
  public final let loop: any EventLoop
  private let state = Lock(State())
  /// Where it was made; kept in debug mode only.
  final let site: CallSite?

  /// A pending future. Usually made by `loop.createFuture()`.
  public init(loop: any EventLoop, fileID: StaticString = #fileID, line: UInt = #line) {
    self.loop = loop
    site = loop.isDebug ? CallSite(file: fileID, line: line) : nil
  }

  deinit { reportLostError(taskName: nil) }

  /// The last reference is going away: tells the loop of an error that nobody looked at, once.
  final func reportLostError(taskName: String?) {
    let lost: (any Error)? = state.withLock { state in
      guard !state.wasRetrieved, !state.isCancelled, case .failure(let error) = state.outcome else { return nil }
      state.wasRetrieved = true
      return error
    }
    guard let lost else { return }
    let kind = taskName == nil ? "future" : "task"
    var context = ExceptionContext(message: "the exception of a \(kind) was never retrieved", exception: lost)
    context.source = site
    context.future = "\(type(of: self))"
    context.task = taskName
    loop.callExceptionHandler(context)
  }

  // MARK: Reading

  /// True once it has a value or an error, or was cancelled.
  public final var isDone: Bool { state.withLock { $0.outcome != nil } }
  /// True if it was cancelled.
  public final var isCancelled: Bool { state.withLock { $0.isCancelled } }
  /// The message of the cancellation that won.
  public final var cancelMessage: String? { state.withLock { $0.message } }

  /// The value, or throws its error; `CancellationError` if cancelled. Code `invalidState` while pending.
  public final func result() throws -> Value {
    let outcome = state.withLock { state in
      if state.outcome != nil { state.wasRetrieved = true }
      return state.outcome
    }
    guard let outcome else {
      throw EventLoopError(.invalidState, "result: the future is not done yet. Await get(), or add a callback.")
    }
    return try outcome.get()
  }

  /// Its error, nil if it has a value. Throws `CancellationError` if cancelled, code `invalidState` while pending.
  public final func exception() throws -> (any Error)? {
    do {
      _ = try result()
      return nil
    } catch let error as EventLoopError where error.code == .invalidState && !isDone {
      throw error
    } catch {
      if isCancelled { throw error }
      return error
    }
  }

  /// Waits for the result. Cancelling the awaiting task cancels the future, as asyncio does. Code `invalidState` in
  /// a task that awaits itself.
  public final func get(fileID: StaticString = #fileID, line: UInt = #line) async throws -> Value {
    try refuseSelfWait()
    if isDone {
      try await checkpoint()
      return try result()
    }
    let awaiter = Awaiter.current(CallSite(file: fileID, line: line))
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        if !add(.task(continuation, awaiter)) { continuation.resume() }
      }
    } onCancel: {
      cancel()
    }
    return try result()
  }

  /// Adds who is told directly, without the loop. `false`: the future is done.
  private func add(_ waiter: Waiter) -> Bool {
    state.withLock { state in
      if state.outcome == nil { state.waiters.append(waiter) }
      return state.outcome == nil
    }
  }

  /// Blocks the calling thread until the future is done, or until a time in monotonic nanoseconds. `false`: it is not
  /// done yet.
  final func block(until deadline: Int64) -> Bool {
    let gate = ThreadGate()
    guard add(.thread(gate)), !gate.wait(until: deadline) else { return true }
    return state.withLock { state in
      state.waiters.removeAll { if case .thread(let other) = $0 { other === gate } else { false } }
      return state.outcome != nil
    }
  }

  /// A task overrides this to refuse a wait that would never end.
  package func refuseSelfWait() throws(EventLoopError) {}

  package func describeForGraph() -> String { isDone ? "a future (done)" : "a future" }

  // MARK: Completing

  /// Completes it with a value. Code `invalidState` if it is done.
  public final func setResult(_ value: Value) throws(EventLoopError) {
    guard complete(.success(value)) else { throw Self.alreadyDone("setResult") }
  }

  /// Completes it with an error. Code `invalidState` if it is done.
  public final func setException(_ error: any Error) throws(EventLoopError) {
    guard complete(.failure(error)) else { throw Self.alreadyDone("setException") }
  }

  private static func alreadyDone(_ operation: String) -> EventLoopError {
    EventLoopError(.invalidState, "\(operation): the future is done already; it can be completed once.")
  }

  /// Cancels it; `false` if it is done already. The first message wins.
  @discardableResult
  public func cancel(_ message: String? = nil) -> Bool {
    complete(.failure(CancellationError()), cancelled: true, message: message)
  }

  /// Completes it if it is pending.
  @discardableResult
  final func complete(
    _ outcome: Result<Value, any Error>, cancelled: Bool = false, message: String? = nil
  ) -> Bool {
    let released: (callbacks: [Callback], waiters: [Waiter])? = state.withLock { state in
      guard state.outcome == nil else { return nil }
      state.outcome = outcome
      state.isCancelled = cancelled
      state.message = message
      defer {
        state.callbacks = []
        state.waiters = []
      }
      return (state.callbacks, state.waiters)
    }
    guard let released else { return false }
    for callback in released.callbacks { schedule(callback) }
    for waiter in released.waiters {
      switch waiter {
      case .task(let continuation, _): continuation.resume()
      case .thread(let gate): gate.open()
      case .observer(_, _, let body): body()
      }
    }
    return true
  }

  // MARK: Callbacks

  /// Queues the callback for when the future is done. Returns a token to remove it by.
  @discardableResult
  public final func addDoneCallback(_ body: @escaping @Sendable (Future<Value>) -> Void) -> CallbackToken {
    var callback = Callback(id: 0, scope: CarriedScope.ofCaller, body: body)
    let isDone = state.withLock { state in
      state.nextID += 1
      callback.id = state.nextID
      if state.outcome == nil { state.callbacks.append(callback) }
      return state.outcome != nil
    }
    if isDone { schedule(callback) }
    return CallbackToken(id: callback.id)
  }

  /// Removes a callback; `false` if it was not there any more.
  @discardableResult
  public final func removeDoneCallback(_ token: CallbackToken) -> Bool {
    state.withLock { state in
      let before = state.callbacks.count
      state.callbacks.removeAll { $0.id == token.id }
      return state.callbacks.count < before
    }
  }

  private func schedule(_ callback: Callback) {
    guard CarriedScope.ofCaller === callback.scope else {
      return CarriedScope.$current.withValue(callback.scope) { schedule(callback) }
    }
    // A closed loop runs no callbacks; who awaits is resumed all the same.
    _ = try? loop.callSoonThreadsafe { callback.body(self) }
  }
}

extension Future: Awaitable {
  /// Calls the body in whatever thread completes the future, without the loop, so also when that is closed. Nil: it is
  /// done already, and the body is not called.
  package final func observe(by awaiter: Awaiter?, _ body: @escaping @Sendable () -> Void) -> UInt64? {
    state.withLock { state in
      guard state.outcome == nil else { return nil }
      state.nextID += 1
      state.waiters.append(.observer(state.nextID, awaiter, body))
      return state.nextID
    }
  }

  /// Takes an observer back; one that is being called may still be under way.
  package final func stopObserving(_ id: UInt64) {
    state.withLock { state in
      state.waiters.removeAll { if case .observer(id, _, _) = $0 { true } else { false } }
    }
  }

  package final var hasFailed: Bool {
    state.withLock { state in
      if case .failure = state.outcome { true } else { false }
    }
  }

  package final func check() throws { _ = try result() }

  package final var awaiters: [Awaiter] { state.withLock { $0.waiters.compactMap(\.awaiter) } }

  package final var madeAt: CallSite? { site }
}

/// A result that will come, bound to a loop. Answers asyncio's `Future`.
///
/// Pending, then done exactly once: with a value, with an error, or cancelled. Callbacks are always queued on the
/// loop, also when the future is done already; they never run inside the call that completes it. Callbacks and tasks
/// that await it are told in the order in which they came. All methods may be called from any thread: the state is
/// under one lock, which is what makes the unchecked conformance right, and nobody is resumed or called while it is
/// held.
public class Future<Value: Sendable>: @unchecked Sendable {
  /// Names a callback of one future for its removal.
  public struct CallbackToken: Hashable, Sendable {
    fileprivate let future: ObjectIdentifier
    fileprivate let id: UInt64
  }

  /// What runs when the future is done, in the scoped policy of the code that asked for it, whoever completes it.
  private struct Callback {
    var scope: CarriedScope?
    var body: @Sendable (Future<Value>) -> Void
  }

  private struct State {
    var outcome: Result<Value, any Error>?
    var isCancelled = false
    var message: String?
    var wasRetrieved = false
    var audience = Audience<Callback>()
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
  final func reportLostError(taskName: @autoclosure () -> String?) {
    let (lost, hasAudience): ((any Error)?, Bool) = state.withLock { state in
      let hasAudience = !state.audience.isEmpty
      guard !state.wasRetrieved, !state.isCancelled, case .failure(let error) = state.outcome else {
        return (nil, hasAudience)
      }
      state.wasRetrieved = true
      return (error, hasAudience)
    }
    if hasAudience { releaseAudience() }
    guard let lost else { return }
    let taskName = taskName()
    let kind = taskName == nil ? "future" : "task"
    var context = ExceptionContext(message: "the exception of a \(kind) was never retrieved", exception: lost)
    context.source = site
    context.future = "\(type(of: self))"
    context.task = taskName
    loop.callExceptionHandler(context)
  }

  /// It was never done. What its callbacks captured may be the next such future, and so on: one goes after the other.
  private func releaseAudience() {
    let parcel = Parcel(state.withLock { $0.audience.takeAll() })
    Sequel.run { parcel.content = nil }
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
        if add(.task(continuation, awaiter)) == nil { continuation.resume() }
      }
    } onCancel: {
      cancel()
    }
    return try result()
  }

  /// Adds who is told. Nil: the future is done.
  private func add(_ member: Audience<Callback>.Member) -> UInt64? {
    state.withLock { $0.outcome == nil ? $0.audience.add(member) : nil }
  }

  /// Blocks the calling thread until the future is done, or until a time in monotonic nanoseconds. `false`: it is not
  /// done yet.
  final func block(until deadline: Int64) -> Bool {
    let gate = ThreadGate()
    guard let number = add(.thread(gate)), !gate.wait(until: deadline) else { return true }
    // Nothing to take out: it was completed in the last moment.
    return state.withLock { $0.audience.remove(number) } == nil
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
    EventLoopError(.invalidState, "\(operation): the future is already done; it can be completed once.")
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
    let told: Audience<Callback>? = state.withLock { state in
      guard state.outcome == nil else { return nil }
      state.outcome = outcome
      state.isCancelled = cancelled
      state.message = message
      return state.audience.takeAll()
    }
    guard let told else { return false }
    told.forEach { member in
      switch member {
      case .task(let continuation, _): continuation.resume()
      case .thread(let gate): gate.open()
      case .observer(_, let body): body()
      case .callback(let callback): schedule(callback)
      }
    }
    return true
  }

  // MARK: Callbacks

  /// Queues the callback for when the future is done. Returns a token to remove it by.
  @discardableResult
  public final func addDoneCallback(_ body: @escaping @Sendable (Future<Value>) -> Void) -> CallbackToken {
    let callback = Callback(scope: CarriedScope.ofCaller, body: body)
    let (number, isDone) = state.withLock { state in
      state.outcome == nil ? (state.audience.add(.callback(callback)), false) : (state.audience.nextNumber(), true)
    }
    if isDone { schedule(callback) }
    return CallbackToken(future: ObjectIdentifier(self), id: number)
  }

  /// Removes a callback; `false` if it was not there any more, and for the token of another future. One that is queued
  /// already runs.
  @discardableResult
  public final func removeDoneCallback(_ token: CallbackToken) -> Bool {
    // The numbers of another future are those of other callbacks here, or of tasks that wait.
    guard token.future == ObjectIdentifier(self) else { return false }
    return state.withLock { $0.audience.remove(token.id) } != nil
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
    add(.observer(awaiter, body))
  }

  /// Takes an observer back; one that is being called may still be under way.
  package final func stopObserving(_ id: UInt64) { _ = state.withLock { $0.audience.remove(id) } }

  package final var hasFailed: Bool {
    state.withLock { state in
      if case .failure = state.outcome { true } else { false }
    }
  }

  package final func check() throws { _ = try result() }

  package final var awaiters: [Awaiter] { state.withLock { $0.audience.awaiters } }

  package final var madeAt: CallSite? { site }
}

/// What is released at a place of its own choice, in one thread.
private final class Parcel<Content> {
  var content: Content?
  init(_ content: Content) { self.content = content }
}

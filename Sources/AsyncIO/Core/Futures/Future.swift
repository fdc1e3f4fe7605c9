/// A result that will come, bound to a loop. Answers asyncio's `Future`.
///
/// Pending, then done exactly once: with a value, with an error, or cancelled. Callbacks are always queued on the loop,
/// even if the future is already done; they never run inside the call that completes it. Callbacks and tasks that await
/// it are told in the order in which they came. All methods may be called from any thread: the state is under one lock,
/// which is what makes the unchecked conformance right, and nothing is resumed or called while it is held.
public class Future<Value: Sendable>: @unchecked Sendable {
  /// Identifies a callback of one future for its removal.
  public struct CallbackToken: Hashable, Sendable {
    fileprivate let future: ObjectIdentifier
    fileprivate let id: UInt64
  }

  /// Runs when the future is done, in the scoped policy of the code that added it, whatever completes it.
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
  /// Where it was made; kept in debug mode, and in a process that is inspected.
  final let site: CallSite?

  /// Create a pending future. Usually made by `loop.createFuture()`.
  public init(loop: any EventLoop, fileID: StaticString = #fileID, line: UInt = #line) {
    self.loop = loop
    site = loop.isDebug || Observation.isInspected ? CallSite(file: fileID, line: line) : nil
  }

  deinit { reportLostError(taskName: nil) }

  /// Report an error that was not retrieved to the loop, once, as the last reference goes away.
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

  /// Release the audience of a future that was never done. The captures of its callbacks may hold the next such future,
  /// and so on: they are released one after another.
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

  /// Return the value, or throw its error; `CancellationError` if it was cancelled. Throws code `invalidState` while
  /// pending.
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

  /// Return its error, nil if it has a value. Throws `CancellationError` if it was cancelled, code `invalidState` while
  /// pending.
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

  /// Wait for the result. Cancelling the awaiting task cancels the future, as asyncio does. Throws code `invalidState`
  /// in a task that awaits itself.
  public final func get(fileID: StaticString = #fileID, line: UInt = #line) async throws -> Value {
    try refuseSelfWait()
    if isDone {
      try await checkpoint()
      return try result()
    }
    let site = CallSite(file: fileID, line: line)
    let awaiter = Awaiter.current(site)
    let record = WaitRecords.shared.begin(self, site)
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        if add(.task(continuation, awaiter)) == nil {
          continuation.resume()
        } else {
          WaitRecords.shared.reportCircle(record)
        }
      }
    } onCancel: {
      cancel()
    }
    WaitRecords.shared.end(record)
    return try result()
  }

  /// Add a member of the audience. Returns nil if the future is done.
  private func add(_ member: Audience<Callback>.Member) -> UInt64? {
    state.withLock { $0.outcome == nil ? $0.audience.add(member) : nil }
  }

  /// Block the calling thread until the future is done, or until a time in monotonic nanoseconds. Returns `false` if it
  /// is not done yet.
  final func block(until deadline: Int64) -> Bool {
    let gate = ThreadGate()
    guard let number = add(.thread(gate)), !gate.wait(until: deadline) else { return true }
    // Nothing to take out: it was completed at the last moment.
    return state.withLock { $0.audience.remove(number) } == nil
  }

  /// Refuse a wait that would never end; a task overrides this.
  package func refuseSelfWait() throws(EventLoopError) {}

  package func describeForGraph() -> String { isDone ? "a future (done)" : "a future" }

  // MARK: Completing

  /// Complete it with a value. Throws code `invalidState` if it is done.
  public final func setResult(_ value: Value) throws(EventLoopError) {
    guard complete(.success(value)) else { throw Self.alreadyDone("setResult") }
  }

  /// Complete it with an error. Throws code `invalidState` if it is done.
  public final func setException(_ error: any Error) throws(EventLoopError) {
    guard complete(.failure(error)) else { throw Self.alreadyDone("setException") }
  }

  private static func alreadyDone(_ operation: String) -> EventLoopError {
    EventLoopError(.invalidState, "\(operation): the future is already done; it can be completed once.")
  }

  /// Cancel it. Returns `false` if it is already done. The first message wins.
  @discardableResult
  public func cancel(_ message: String? = nil) -> Bool {
    complete(.failure(CancellationError()), cancelled: true, message: message)
  }

  /// Complete it if it is pending.
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

  /// Queue the callback for when the future is done. Returns a token to remove it by.
  @discardableResult
  public final func addDoneCallback(_ body: @escaping @Sendable (Future<Value>) -> Void) -> CallbackToken {
    let callback = Callback(scope: CarriedScope.ofCaller, body: body)
    let (number, isDone) = state.withLock { state in
      state.outcome == nil ? (state.audience.add(.callback(callback)), false) : (state.audience.nextNumber(), true)
    }
    if isDone { schedule(callback) }
    return CallbackToken(future: ObjectIdentifier(self), id: number)
  }

  /// Remove a callback. Returns `false` if it was no longer there, and for the token of another future. A callback that
  /// is already queued runs.
  @discardableResult
  public final func removeDoneCallback(_ token: CallbackToken) -> Bool {
    // The numbers of another future are those of other callbacks here, or of waiting tasks.
    guard token.future == ObjectIdentifier(self) else { return false }
    return state.withLock { $0.audience.remove(token.id) } != nil
  }

  private func schedule(_ callback: Callback) {
    guard CarriedScope.ofCaller === callback.scope else {
      return CarriedScope.enter(callback.scope) { post(callback) }
    }
    post(callback)
  }

  private func post(_ callback: Callback) {
    // A closed loop runs no callbacks; tasks that await are resumed all the same.
    _ = try? loop.callSoonThreadsafe { callback.body(self) }
  }
}

extension Future: WaitPoint {
  package final var waitName: String { (self as? any CancellableTask)?.taskName ?? "a future" }
  package final var waitPlace: CallSite? { site }
  package final var holders: [UInt] { (self as? any CancellableTask)?.identity.map { [$0] } ?? [] }
}

extension Future: Awaitable {
  /// Call the body in whatever thread completes the future, without the loop, so even after that is closed. Returns
  /// nil, without a call, if it is already done.
  package final func observe(by awaiter: Awaiter?, _ body: @escaping @Sendable () -> Void) -> UInt64? {
    add(.observer(awaiter, body))
  }

  /// Take an observer back; one that is being called may still be under way.
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

/// Holds what is to be released at a place of its own choice, in one thread.
private final class Parcel<Content> {
  var content: Content?
  init(_ content: Content) { self.content = content }
}

/// What a wait can be made of: a future of any value type. Everything here may be called from any thread.
package protocol Awaitable: AnyObject, Sendable {
  var isDone: Bool { get }
  var isCancelled: Bool { get }
  /// True for an error and for a cancellation. Asking this does not count as retrieving the error.
  var hasFailed: Bool { get }
  /// Throw its error, which then counts as retrieved. Throws code `invalidState` while it is pending.
  func check() throws
  @discardableResult func cancel(_ message: String?) -> Bool
  /// Throw code `invalidState` in the task that this is.
  func refuseSelfWait() throws(EventLoopError)

  /// Call the body once, directly, when it is done. Returns nil, without a call, if it is already done.
  func observe(by awaiter: Awaiter?, _ body: @escaping @Sendable () -> Void) -> UInt64?
  func stopObserving(_ id: UInt64)

  /// The tasks that wait for it now, in the order in which they came.
  var awaiters: [Awaiter] { get }
  /// Where it was made; kept in debug mode only.
  var madeAt: CallSite? { get }
  /// Describe it for people.
  func describeForGraph() -> String
}

/// A task that waits, and the place of the wait in its code: an edge of the call graph. It is stored with the waiter
/// that it belongs to and goes with it.
package struct Awaiter: Sendable {
  package let task: any CancellableTask
  package let site: CallSite

  /// Return the current task as an awaiter; nil if no task of `createTask` runs.
  static func current(_ site: CallSite) -> Awaiter? {
    LoopTaskRegistry.shared.current.map { Awaiter(task: $0, site: site) }
  }
}

/// One wait that several sides may end, from any thread; the first one does. One task waits, once.
final class OneWait<Outcome: Sendable>: Sendable {
  private let state = Lock(OneWaitState<Outcome>())

  /// End the wait. Returns `false` if it had already ended.
  @discardableResult
  func end(_ outcome: Outcome) -> Bool {
    let (isFirst, continuation) = state.withLock { state in
      guard state.outcome == nil else { return (false, nil as UnsafeContinuation<Outcome, Never>?) }
      state.outcome = outcome
      defer { state.continuation = nil }
      return (true, state.continuation)
    }
    continuation?.resume(returning: outcome)
    return isFirst
  }

  /// Suspend until it is ended, or the task is cancelled, which ends it with an outcome of its own.
  func wait(cancelled outcome: Outcome) async -> Outcome {
    await suspendCancellably {
      enter($0)
    } onCancel: {
      end(outcome)
    }
  }

  /// Suspend until it is ended.
  func wait() async -> Outcome {
    await withUnsafeContinuation { enter($0) }
  }

  private func enter(_ continuation: UnsafeContinuation<Outcome, Never>) {
    let outcome = state.withLock { state in
      if state.outcome == nil { state.continuation = continuation }
      return state.outcome
    }
    if let outcome { continuation.resume(returning: outcome) }
  }
}

struct OneWaitState<Outcome: Sendable> {
  var outcome: Outcome?
  var continuation: UnsafeContinuation<Outcome, Never>?
}

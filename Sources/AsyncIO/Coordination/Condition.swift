/// A lock, and a place to wait for a change of what it guards. Answers asyncio's `Condition`.
///
/// ```swift
/// try await condition.withLock {
///   try await condition.wait { !items.isEmpty }
///   use(items.removeFirst())
/// }
/// ```
/// Any task of any loop may use it, in any thread.
public final class Condition: Sendable {
  private let lock: AsyncLock
  private let state = Lock(ConditionState())

  /// Create a condition with a lock of its own, or with one that others share.
  public init(lock: AsyncLock = AsyncLock()) { self.lock = lock }

  /// True while the lock is held.
  public var isLocked: Bool { lock.isLocked }

  /// Acquire the lock. See ``AsyncLock/acquire()``.
  public func acquire() async throws {
    try await lock.acquire()
  }

  /// Release the lock. See ``AsyncLock/release()``.
  public func release() throws(EventLoopError) { try lock.release() }

  /// Run the body with the lock. See ``AsyncLock/withLock(_:)``.
  public func withLock<Result>(_ body: () async throws -> Result) async throws -> Result {
    try await lock.withLock(body)
  }

  /// Release the lock, wait for a notification, and take the lock again: always, even if the task is cancelled, which
  /// then throws `CancellationError`. A cancelled task that had been notified passes the notification on to the next
  /// one. Throws code `invalidState` if the lock is free.
  public func wait() async throws {
    guard lock.isLocked else { throw Self.notHeld("wait") }
    try checkCancellation()
    let id = state.withLock { $0.numbers.next() }
    let wasNotified = await waitCancellably(
      id, cancelled: false, on: self,
      enter: { continuation in
        // In the queue before the lock is free: a notification that comes right after must find this task.
        self.state.withLock { $0.waiters.append(id, continuation) }
        try? self.lock.release()
        return .waits
      }, leave: { id in self.state.withLock { $0.waiters.remove(id) } })
    await lock.acquireUncancellably()
    guard Task.isCancelled else { return }
    if wasNotified { wake(1) }
    throw CancellationError()
  }

  /// Wait until the predicate is true, checking it after each notification, with the lock. Answers `wait_for()`.
  public func wait(until predicate: () throws -> Bool) async throws {
    try await checkpoint()
    while try !predicate() { try await wait() }
  }

  /// Wake the tasks that have waited longest, one or `count`. They go on when they have the lock. Throws code
  /// `invalidState` if the lock is free, `invalidArgument` for a negative number.
  public func notify(_ count: Int = 1) throws(EventLoopError) {
    guard count >= 0 else {
      throw EventLoopError(.invalidArgument, "notify: count is \(count). Give 0 or more.")
    }
    guard lock.isLocked else { throw Self.notHeld("notify") }
    wake(count)
  }

  /// Wake all tasks that wait now. Throws code `invalidState` if the lock is free.
  public func notifyAll() throws(EventLoopError) { try notify(.max) }

  private func wake(_ count: Int) {
    let woken = state.withLock { state in
      var woken: [Waiters<Bool>.Continuation] = []
      while woken.count < count, let continuation = state.waiters.popFirst() { woken.append(continuation) }
      return woken
    }
    for continuation in woken { continuation.resume(returning: true) }
  }

  private static func notHeld(_ operation: String) -> EventLoopError {
    EventLoopError(.invalidState, "\(operation): the condition's lock is not held. Use withLock around it.")
  }
}

extension Condition: WaitPoint {
  package var waitName: String { "a condition" }
  package var waitPlace: CallSite? { nil }
  package var holders: [UInt] { [] }
}

struct ConditionState: Sendable {
  var waiters = Waiters<Bool>()
  var numbers = WaitNumbers()
}

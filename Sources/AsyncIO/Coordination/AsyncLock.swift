/// A lock for tasks: held across suspensions, by one task at a time, in the order in which they asked. Answers
/// asyncio's `Lock`.
///
/// ```swift
/// try await lock.withLock { try await update() }
/// ```
/// It belongs to no task: any task may release it. Any task of any loop may use it, in any thread. A task that is
/// cancelled while it waits throws `CancellationError` and leaves the lock to the next task; a cancelled task that has
/// the lock keeps it.
public final class AsyncLock: Sendable {
  private let state = Lock(AsyncLockState())
  /// Where it was made, while origins are kept.
  package let waitPlace: CallSite?

  /// Create a lock that is free. Where it was made stands in reports of debug mode, and in an inspection.
  public init(fileID: StaticString = #fileID, line: UInt = #line) {
    waitPlace = Observation.keepsOrigins ? CallSite(file: fileID, line: line) : nil
  }

  /// True while the lock is held. While tasks wait it goes from one to the next without being free. Answers `locked()`.
  public var isLocked: Bool { state.withLock { $0.isLocked } }

  /// Wait for the lock and take it. Throws `CancellationError` if the task is cancelled while it waits.
  public func acquire() async throws {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    let isHeld = await waitCancellably(
      id, cancelled: false, on: self, enter: { self.enter(id, $0) }, leave: { self.leave($0) })
    guard isHeld else { throw CancellationError() }
    noteHolder()
  }

  /// Re-acquire the lock even if the task is cancelled (used by `Condition`).
  func acquireUncancellably() async {
    let id = state.withLock { $0.numbers.next() }
    _ = await waitUncancellably { (continuation: UnsafeContinuation<Bool, Never>) in
      if case .now(let isHeld) = enter(id, continuation) { continuation.resume(returning: isHeld) }
    }
    noteHolder()
  }

  /// Note who has the lock, for those who look.
  @inline(__always)
  private func noteHolder() {
    if Observation.keepsOrigins { state.withLock { $0.holder = LoopTaskRegistry.identity } }
  }

  /// Release the lock, to the first waiter if there is one. Throws code `invalidState` if the lock is free.
  public func release() throws(EventLoopError) {
    guard let next = state.withLock({ $0.release() }) else {
      throw EventLoopError(.invalidState, "release: the lock is not held. Acquire it first, and release it once.")
    }
    next.continuation?.resume(returning: true)
  }

  /// Run the body with the lock and release it, however the body ends. Answers `async with lock`.
  public func withLock<Result>(_ body: () async throws -> Result) async throws -> Result {
    try await acquire()
    // The body may have released it itself; then there is nothing to do.
    defer { try? release() }
    return try await body()
  }

  private func enter(_ id: UInt64, _ continuation: Waiters<Bool>.Continuation) -> Admission<Bool> {
    state.withLock { $0.enter(id, continuation) }
  }

  private func leave(_ id: UInt64) -> Waiters<Bool>.Continuation? { state.withLock { $0.waiters.remove(id) } }
}

extension AsyncLock: WaitPoint {
  package var waitName: String { "a lock" }
  package var holders: [UInt] { state.withLock { $0.holder }.map { [$0] } ?? [] }
}

struct AsyncLockState: Sendable {
  /// The next holder of the lock; nil inside if it is free.
  struct Next {
    var continuation: Waiters<Bool>.Continuation?
  }

  var isLocked = false
  /// The Swift task that has taken the lock; nil if that is not known, or not yet.
  var holder: UInt?
  var waiters = Waiters<Bool>()
  var numbers = WaitNumbers()

  mutating func enter(_ id: UInt64, _ continuation: Waiters<Bool>.Continuation) -> Admission<Bool> {
    guard isLocked else {
      assert(waiters.isEmpty, "the lock is free while a task waits for it")
      isLocked = true
      return .now(true)
    }
    waiters.append(id, continuation)
    return .waits
  }

  /// Release the lock. Returns nil if it was free.
  mutating func release() -> Next? {
    guard isLocked else { return nil }
    let next = waiters.popFirst()
    isLocked = next != nil
    holder = nil
    return Next(continuation: next)
  }
}

/// A number of permits, which tasks take and give back, in the order in which they asked. Answers asyncio's
/// `Semaphore`.
///
/// ```swift
/// try await semaphore.withPermit { try await fetch(page) }
/// ```
/// Any task of any loop may use it, in any thread. A task that is cancelled while it waits throws `CancellationError`
/// and takes nothing.
public final class Semaphore: Sendable {
  private let core: SemaphoreCore

  /// Create a semaphore with `value` permits. Throws code `invalidArgument` if `value` is negative.
  public init(_ value: Int = 1) throws(EventLoopError) {
    core = try SemaphoreCore(value, "Semaphore", limit: .max)
  }

  /// True if a task that asked now would wait. Answers `locked()`.
  public var isLocked: Bool { core.isLocked }

  /// Wait for a permit and take it. Throws `CancellationError` if the task is cancelled while it waits.
  public func acquire() async throws {
    try await core.acquire()
  }

  /// Release a permit, to the first waiter if there is one. The count may exceed its initial value.
  public func release() { _ = core.release() }

  /// Run the body with a permit and give it back, however the body ends. Answers `async with semaphore`.
  public func withPermit<Result>(_ body: () async throws -> Result) async throws -> Result {
    try await acquire()
    defer { release() }
    return try await body()
  }
}

/// A ``Semaphore`` that takes no more permits back than it gave. Answers asyncio's `BoundedSemaphore`.
public final class BoundedSemaphore: Sendable {
  private let core: SemaphoreCore

  /// Create a semaphore with `value` permits. Throws code `invalidArgument` if `value` is negative.
  public init(_ value: Int = 1) throws(EventLoopError) {
    core = try SemaphoreCore(value, "BoundedSemaphore", limit: value)
  }

  /// True if a task that asked now would wait. See ``Semaphore/isLocked``.
  public var isLocked: Bool { core.isLocked }

  /// Wait for a permit and take it. See ``Semaphore/acquire()``.
  public func acquire() async throws {
    try await core.acquire()
  }

  /// Release a permit. See ``Semaphore/release()``. Throws code `invalidState` if no permit is taken.
  public func release() throws(EventLoopError) {
    guard core.release() else {
      throw EventLoopError(.invalidState, "release: the bounded semaphore has all its permits. Release each once.")
    }
  }

  /// Run the body with a permit. See ``Semaphore/withPermit(_:)``.
  public func withPermit<Result>(_ body: () async throws -> Result) async throws -> Result {
    try await acquire()
    // The body may have released its permit itself; then there is nothing to do.
    defer { try? release() }
    return try await body()
  }
}

/// What the two have in common.
private final class SemaphoreCore: Sendable {
  private let state: Lock<SemaphoreState>

  init(_ value: Int, _ name: String, limit: Int) throws(EventLoopError) {
    guard value >= 0 else {
      throw EventLoopError(.invalidArgument, "\(name): value is \(value). Give 0 or more.")
    }
    state = Lock(SemaphoreState(value: value, limit: limit))
  }

  var isLocked: Bool { state.withLock { $0.value == 0 || !$0.waiters.isEmpty } }

  func acquire() async throws {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    let isHeld = await waitCancellably(
      id, cancelled: false, on: self, enter: { continuation in self.state.withLock { $0.enter(id, continuation) } },
      leave: { id in self.state.withLock { $0.waiters.remove(id) } })
    guard isHeld else { throw CancellationError() }
  }

  /// Release a permit. Returns `false` if there are already as many as there may be.
  func release() -> Bool {
    let (isTaken, next) = state.withLock { $0.release() }
    next?.resume(returning: true)
    return isTaken
  }
}

extension SemaphoreCore: WaitPoint {
  var waitName: String { "a permit of a semaphore" }
  var waitPlace: CallSite? { nil }
  var holders: [UInt] { [] }
}

struct SemaphoreState: Sendable {
  var value: Int
  let limit: Int
  var waiters = Waiters<Bool>()
  var numbers = WaitNumbers()

  init(value: Int, limit: Int) {
    self.value = value
    self.limit = limit
  }

  mutating func enter(_ id: UInt64, _ continuation: Waiters<Bool>.Continuation) -> Admission<Bool> {
    // Permits go to waiters first, so there are none while a task waits.
    assert(value == 0 || waiters.isEmpty, "a permit is free while a task waits for one")
    guard value > 0 else {
      waiters.append(id, continuation)
      return .waits
    }
    value -= 1
    return .now(true)
  }

  mutating func release() -> (isTaken: Bool, next: Waiters<Bool>.Continuation?) {
    guard value < limit else { return (false, nil) }
    let next = waiters.popFirst()
    if next == nil { value += 1 }
    return (true, next)
  }
}

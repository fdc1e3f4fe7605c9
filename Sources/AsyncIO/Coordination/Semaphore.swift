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

  /// A semaphore with so many permits. Throws code `invalidArgument` for less than none.
  public init(_ value: Int = 1) throws(EventLoopError) {
    core = try SemaphoreCore(value, "Semaphore", limit: .max)
  }

  /// True if a task that asked now would wait. Answers `locked()`.
  public var isLocked: Bool { core.isLocked }

  /// Waits for a permit and takes it. Throws `CancellationError` for a task that is cancelled while it waits.
  public func acquire() async throws {
    try await core.acquire()
  }

  /// Gives a permit to the first who waits, or back; there may be more of them than there were at first.
  public func release() { _ = core.release() }

  /// Runs the body with a permit and gives it back, however the body ends. Answers `async with semaphore`.
  public func withPermit<Result>(_ body: () async throws -> Result) async throws -> Result {
    try await acquire()
    defer { release() }
    return try await body()
  }
}

/// A ``Semaphore`` that takes no more permits back than it gave. Answers asyncio's `BoundedSemaphore`.
public final class BoundedSemaphore: Sendable {
  private let core: SemaphoreCore

  /// A semaphore with so many permits. Throws code `invalidArgument` for less than none.
  public init(_ value: Int = 1) throws(EventLoopError) {
    core = try SemaphoreCore(value, "BoundedSemaphore", limit: value)
  }

  /// As ``Semaphore/isLocked``.
  public var isLocked: Bool { core.isLocked }

  /// As ``Semaphore/acquire()``.
  public func acquire() async throws {
    try await core.acquire()
  }

  /// As ``Semaphore/release()``. Throws code `invalidState` when all permits are there.
  public func release() throws(EventLoopError) {
    guard core.release() else {
      throw EventLoopError(.invalidState, "release: the bounded semaphore has all its permits. Release each once.")
    }
  }

  /// As ``Semaphore/withPermit(_:)``.
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
      id, cancelled: false, enter: { continuation in self.state.withLock { $0.enter(id, continuation) } },
      leave: { id in self.state.withLock { $0.waiters.remove(id) } })
    guard isHeld else { throw CancellationError() }
  }

  /// `false`: there are as many as there may be.
  func release() -> Bool {
    let (isTaken, next) = state.withLock { $0.release() }
    next?.resume(returning: true)
    return isTaken
  }
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
    // Permits go to who waits, so there are none while somebody does.
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

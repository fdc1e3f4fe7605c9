/// A value that changes, and tasks that want to know the latest one: settings, a state, a leader. Answers tokio's
/// `watch`.
///
/// ```swift
/// let level = WatchedValue(1)
/// let following = try loop.createTask {
///   for try await value in level { print(value) }  // 1, and then what it becomes
/// }
/// level.value = 2
/// level.shutDown()
/// try await following.get()
/// ```
/// Nothing is kept but the latest value: a task that is slow gets that one, and not those in between. Any task of any
/// loop may use it, in any thread.
public final class WatchedValue<Value: Sendable>: AsyncSequence, Sendable {
  private let state: Lock<WatchedState<Value>>

  /// Create a watch with its first value.
  public init(_ value: Value) { state = Lock(WatchedState(value: value)) }

  /// The latest value. Setting it wakes the tasks that wait, even if it is equal to the one before; after
  /// ``shutDown()`` setting it does nothing. To change it by what it was, let one task do so: reading and setting are
  /// two steps.
  public var value: Value {
    get { state.withLock { $0.value } }
    set {
      // What the old value refers to is released outside of the lock.
      var other = newValue
      let woken = state.withLock { $0.set(&other) }
      for waiter in woken { waiter.resume(returning: true) }
    }
  }

  /// Wait for the next change from now on, and return the latest value then; nil when the watch is shut down. What
  /// changes between two calls is not seen: iterate over the watch for that. Throws `CancellationError`.
  public func changed() async throws -> Value? {
    try await checkpoint()
    return try await latest(after: state.withLock { $0.version })?.value
  }

  /// Shut the watch down: the value stays, sequences end when they have given the latest one.
  public func shutDown() {
    let woken = state.withLock { state in
      state.isShutDown = true
      return state.waiters.removeAll()
    }
    for waiter in woken { waiter.resume(returning: true) }
  }

  private func latest(after version: UInt64) async throws -> (value: Value, version: UInt64)? {
    let id = state.withLock { $0.numbers.next() }
    let isThere = await waitCancellably(
      id, cancelled: false,
      enter: { waiter in self.state.withLock { $0.enter(id, waiter, after: version) } },
      leave: { id in self.state.withLock { $0.waiters.remove(id) } })
    guard isThere else { throw CancellationError() }
    return state.withLock { $0.version > version ? ($0.value, $0.version) : nil }
  }

  /// Gives the values of one loop over a watch.
  public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
    let watch: WatchedValue
    var seen: UInt64 = 0

    /// Return the latest value if this has not given it; otherwise wait for the next change. Nil when the watch is shut
    /// down and its last value was given. Throws `CancellationError`.
    public mutating func next() async throws -> Value? {
      try await checkpoint()
      guard let latest = try await watch.latest(after: seen) else { return nil }
      seen = latest.version
      return latest.value
    }
  }

  /// Iterate over the values: the one that is there first, and then the latest one after each change. Each iteration
  /// has its own place.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(watch: self) }
}

struct WatchedState<Value: Sendable>: Sendable {
  typealias Waiter = Waiters<Bool>.Continuation

  private(set) var value: Value
  private(set) var version: UInt64 = 1
  var isShutDown = false
  var waiters = Waiters<Bool>()
  var numbers = WaitNumbers()

  init(value: Value) { self.value = value }

  /// Exchange the value with the other one. Returns which tasks to wake.
  mutating func set(_ other: inout Value) -> [Waiter] {
    guard !isShutDown else { return [] }
    swap(&value, &other)
    version += 1
    return waiters.removeAll()
  }

  mutating func enter(_ id: UInt64, _ waiter: Waiter, after version: UInt64) -> Admission<Bool> {
    if isShutDown || self.version > version { return .now(true) }
    waiters.append(id, waiter)
    return .waits
  }
}

/// Return the futures in the order in which they are done, as an asynchronous sequence of the futures themselves.
/// Answers `as_completed()`.
///
/// ```swift
/// for try await task in try asCompleted(tasks, timeout: .seconds(5)) { print(try task.result()) }
/// ```
/// Futures that are already done come first, in the order of the arguments; a future that is given twice comes once.
/// When the time is over ``TimeoutError`` is thrown, and when the iterating task is cancelled `CancellationError`;
/// neither cancels a future. The sequence can be iterated several times, each time from the beginning; an iterator is
/// for one task.
///
/// - Parameters:
///   - futures: any number.
///   - timeout: the limit for the whole sequence, from this call on, by the running loop's clock: code `noRunningLoop`
///     outside of a loop's thread, here and in each step, and `closed` if that loop is closed before the time is over.
///     Nil means no limit, and needs no loop.
public func asCompleted<Value: Sendable>(
  _ futures: some Sequence<Future<Value>>, timeout: Duration? = nil
) throws(EventLoopError) -> some AsyncSequence<Future<Value>, any Error> & Sendable {
  let limit: AsCompletedLimit?
  if let timeout {
    limit = AsCompletedLimit(duration: timeout, deadline: try runningCore("asCompleted").time().advanced(by: timeout))
  } else {
    limit = nil
  }
  return AsCompleted(unique(Array(futures)), limit)
}

struct AsCompletedLimit: Sendable {
  var duration: Duration
  var deadline: EventLoopInstant
}

/// The sequence that ``asCompleted(_:timeout:)`` returns. It has no public name, so that it can become another.
private struct AsCompleted<Value: Sendable>: AsyncSequence, Sendable {
  private let futures: [Future<Value>]
  private let limit: AsCompletedLimit?

  init(_ futures: [Future<Value>], _ limit: AsCompletedLimit?) {
    self.futures = futures
    self.limit = limit
  }

  /// Begin to watch the futures.
  func makeAsyncIterator() -> Iterator { Iterator(futures, limit) }

  /// Gives one future after another. For one task.
  struct Iterator: AsyncIteratorProtocol {
    private let arrivals: Arrivals<Value>
    private let limit: AsCompletedLimit?
    private var left: Int

    init(_ futures: [Future<Value>], _ limit: AsCompletedLimit?) {
      arrivals = Arrivals(futures)
      self.limit = limit
      left = futures.count
    }

    /// Return the next future; nil after the last.
    mutating func next() async throws -> Future<Value>? {
      guard left > 0 else { return nil }
      try await checkpoint()
      let future = try await arrivals.next(limit)
      left -= 1
      return future
    }
  }
}

/// Futures that are done and have not been returned yet, and the task that waits for the next one.
struct ArrivalState<Value: Sendable> {
  var done: [Future<Value>] = []
  var given = 0
  var waiting: OneWait<ArrivalEnd>?
}

enum ArrivalEnd { case arrived, timedOut, closed, cancelled }

/// Watches futures for an iterator.
final class Arrivals<Value: Sendable>: Sendable {
  private let state = Lock(ArrivalState<Value>())
  private let observers: Lock<[(Future<Value>, UInt64)]>

  init(_ futures: [Future<Value>]) {
    observers = Lock([])
    var observed: [(Future<Value>, UInt64)] = []
    for future in futures {
      // Weak: futures that are not done must not hold an iterator that is no longer used.
      let observer = future.observe(by: nil) { [weak self, unowned future] in self?.arrived(future) }
      if let observer { observed.append((future, observer)) } else { arrived(future) }
    }
    let all = observed
    observers.withLock { $0 = all }
  }

  deinit {
    for (future, observer) in observers.withLock({ $0 }) { future.stopObserving(observer) }
  }

  private func arrived(_ future: Future<Value>) {
    let waiting = state.withLock { state in
      state.done.append(future)
      return state.waiting
    }
    waiting?.end(.arrived)
  }

  private func take() -> Future<Value>? {
    state.withLock { state in
      guard state.given < state.done.count else { return nil }
      defer { state.given += 1 }
      return state.done[state.given]
    }
  }

  func next(_ limit: AsCompletedLimit?) async throws -> Future<Value> {
    let end = OneWait<ArrivalEnd>()
    // Registered before the look, so that nothing is missed in between.
    state.withLock { $0.waiting = end }
    defer { state.withLock { $0.waiting = nil } }
    if let future = take() { return future }
    let timer = try limit.map { limit in
      let core = try runningCore("asCompleted")
      return TimeLimit(until: limit.deadline, on: core) { end.end($0 == .closed ? .closed : .timedOut) }
    }
    defer { timer?.cancel() }
    let ending = await end.wait(cancelled: .cancelled)
    if let future = take() { return future }
    if ending == .timedOut, let limit { throw TimeoutError(limit: limit.duration) }
    if ending == .closed { throw EventLoopError.closed("asCompleted") }
    throw CancellationError()
  }
}

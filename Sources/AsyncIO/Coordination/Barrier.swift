/// A wait has ended because its ``Barrier`` was reset or broken. Answers asyncio's `BrokenBarrierError`.
public struct BrokenBarrierError: Error, Hashable, CustomStringConvertible {
  /// The error.
  public init() {}
  /// What happened, in a sentence.
  public var description: String { "the barrier was reset or broken" }
}

/// A point that a number of tasks pass together. Answers asyncio's `Barrier`.
///
/// It can be used again and again. Any task of any loop may use it, in any thread.
public final class Barrier: Sendable {
  /// The number of tasks that pass together.
  public let parties: Int
  private let state: Lock<BarrierState>

  /// Create a barrier for `parties` tasks. Throws code `invalidArgument` if `parties` is less than one.
  public init(_ parties: Int) throws(EventLoopError) {
    guard parties > 0 else {
      throw EventLoopError(.invalidArgument, "Barrier: parties is \(parties). Give at least 1.")
    }
    self.parties = parties
    state = Lock(BarrierState(parties: parties))
  }

  /// The number of tasks that wait now. Answers `n_waiting`.
  public var waitingCount: Int { state.withLock { $0.waiters.count } }
  /// True after ``abort()``, until ``reset()``. Answers `broken`.
  public var isBroken: Bool { state.withLock { $0.isBroken } }

  /// Wait for the others, and pass with them. Returns the place of this task among them, from 0, so that one of them
  /// can do what has to be done once. Throws ``BrokenBarrierError`` if the barrier is reset or broken,
  /// `CancellationError` if the task is cancelled while it waits: the others then wait for another task.
  @discardableResult
  public func wait() async throws -> Int {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    let end = await waitCancellably(
      id, cancelled: .cancelled, on: self, enter: { self.enter(id, $0) },
      leave: { id in self.state.withLock { $0.waiters.remove(id) } })
    switch end {
    case .passed(let place): return place
    case .broken: throw BrokenBarrierError()
    case .cancelled: throw CancellationError()
    }
  }

  private func enter(_ id: UInt64, _ continuation: Waiters<BarrierEnd>.Continuation) -> Admission<BarrierEnd> {
    let (admission, passing) = state.withLock { $0.enter(id, continuation) }
    for (place, continuation) in passing.enumerated() { continuation.resume(returning: .passed(place)) }
    return admission
  }

  /// End the waits with ``BrokenBarrierError`` and make the barrier as good as new.
  public func reset() { breakWaits(isBroken: false) }

  /// End the waits with ``BrokenBarrierError``, and all later ones, until ``reset()``.
  public func abort() { breakWaits(isBroken: true) }

  private func breakWaits(isBroken: Bool) {
    let broken = state.withLock { state in
      state.isBroken = isBroken
      return state.waiters.removeAll()
    }
    for continuation in broken { continuation.resume(returning: .broken) }
  }
}

enum BarrierEnd: Sendable {
  case passed(Int)
  case broken
  case cancelled
}

extension Barrier: WaitPoint {
  package var waitName: String { "a barrier" }
  package var waitPlace: CallSite? { nil }
  package var holders: [UInt] { [] }
}

struct BarrierState: Sendable {
  let parties: Int
  var isBroken = false
  var waiters = Waiters<BarrierEnd>()
  var numbers = WaitNumbers()

  init(parties: Int) { self.parties = parties }

  /// Enter; the last task takes the others with it.
  mutating func enter(
    _ id: UInt64, _ continuation: Waiters<BarrierEnd>.Continuation
  ) -> (Admission<BarrierEnd>, passing: [Waiters<BarrierEnd>.Continuation]) {
    if isBroken { return (.now(.broken), []) }
    if waiters.count == parties - 1 { return (.now(.passed(parties - 1)), waiters.removeAll()) }
    waiters.append(id, continuation)
    return (.waits, [])
  }
}

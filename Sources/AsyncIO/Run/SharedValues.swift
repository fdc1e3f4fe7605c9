/// What the bodies of a group share by ``LoopGroup/shared(_:)``: a slot for each call, kept while a body may still ask
/// for it.
final class SharedValues: Sendable {
  private struct Slot {
    var outcome: Result<any Sendable, any Error>?
    var waiters: [Future<any Sendable>] = []
    /// How many of the other bodies have called.
    var callers = 0
  }

  private struct State {
    var calls: [Int]
    var slots: [Int: Slot] = [:]
    var hasEnded = false

    /// Keep a slot until every body has had its value.
    mutating func keep(_ slot: Slot, for call: Int) {
      slots[call] = slot.outcome != nil && slot.callers == calls.count - 1 ? nil : slot
    }
  }

  private let state: Lock<State>

  /// - Parameter count: the number of bodies.
  init(count: Int) { state = Lock(State(calls: Array(repeating: 0, count: count))) }

  /// Return the number of the call.
  func beginCall(of index: Int) -> Int {
    state.withLock { state in
      defer { state.calls[index] += 1 }
      return state.calls[index]
    }
  }

  func set(_ outcome: Result<any Sendable, any Error>, for call: Int) {
    let waiters = state.withLock { state in
      var slot = state.slots[call] ?? Slot()
      defer { state.keep(slot, for: call) }
      slot.outcome = outcome
      defer { slot.waiters = [] }
      return slot.waiters
    }
    for waiter in waiters { waiter.complete(outcome) }
  }

  func wait<Value: Sendable>(for call: Int, on loop: any EventLoop) async throws -> Value {
    let future = Future<any Sendable>(loop: loop)
    let outcome = state.withLock { state -> Result<any Sendable, any Error>? in
      if state.hasEnded && state.slots[call]?.outcome == nil { return .failure(Self.neverMade) }
      var slot = state.slots[call] ?? Slot()
      defer { state.keep(slot, for: call) }
      slot.callers += 1
      if slot.outcome == nil { slot.waiters.append(future) }
      return slot.outcome
    }
    if outcome != nil { try await checkpoint() }
    let value = if let outcome { try outcome.get() } else { try await future.get() }
    guard let value = value as? Value else {
      throw EventLoopError(
        .invalidState,
        "shared: loop 0 made a \(type(of: value)), and this loop expects a \(Value.self). Call shared as many times "
          + "and in the same order in every body.")
    }
    return value
  }

  /// Note that the body of loop 0 has ended: it will never make what it has not made by now.
  func end() {
    let waiters = state.withLock { state in
      state.hasEnded = true
      defer { for call in state.slots.keys { state.slots[call]?.waiters = [] } }
      return state.slots.values.flatMap(\.waiters)
    }
    for waiter in waiters { waiter.complete(.failure(Self.neverMade)) }
  }

  private static var neverMade: EventLoopError {
    EventLoopError(
      .invalidState,
      "shared: the body of loop 0 has ended without making this value. Call shared as many times and in the same order "
        + "in every body.")
  }
}

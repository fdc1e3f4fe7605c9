import AsyncIO
import Dispatch
import Synchronization
import Testing

/// A value that tests wait for: a change of it resumes the tasks whose condition it meets. No clock is asked, so tests
/// in virtual time can wait for it as well. Any thread.
final class Watched<Value: Sendable>: Sendable {
  private struct Waiting: Sendable {
    let number: Int
    let isMet: @Sendable (Value) -> Bool
    let continuation: CheckedContinuation<Bool, Never>
  }

  private struct State: Sendable {
    var value: Value
    var waiting: [Waiting] = []
    var nextNumber = 0

    /// Remove those whose condition holds.
    mutating func met() -> [Waiting] {
      if waiting.isEmpty { return [] }
      let met = waiting.filter { $0.isMet(value) }
      waiting.removeAll { one in met.contains { $0.number == one.number } }
      return met
    }
  }

  private let state: Mutex<State>

  init(_ value: Value) { state = Mutex(State(value: value)) }

  var value: Value { state.withLock { $0.value } }

  func change<Result: Sendable>(_ body: (inout Value) -> sending Result) -> Result {
    let (result, met) = state.withLock { state in
      let result = body(&state.value)
      return (result, state.met())
    }
    for one in met { one.continuation.resume(returning: true) }
    return result
  }

  /// Wait until a condition holds. When the limit is over the test fails with what there is instead.
  func wait(
    for what: String, within limit: Duration = .seconds(10), sourceLocation: SourceLocation = #_sourceLocation,
    _ isMet: @escaping @Sendable (Value) -> Bool
  ) async {
    let isThere = await withCheckedContinuation { continuation in
      let number: Int? = state.withLock { state in
        if isMet(state.value) { return nil }
        defer { state.nextNumber += 1 }
        state.waiting.append(Waiting(number: state.nextNumber, isMet: isMet, continuation: continuation))
        return state.nextNumber
      }
      guard let number else { return continuation.resume(returning: true) }
      let giveUp: @Sendable () -> Void = { [weak self] in self?.giveUp(number) }
      // Other threads have no place in a simulated world.
      if let loop = try? getRunningLoop(), (try? loop.callLater(limit, giveUp)) != nil { return }
      DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Int(limit.components.seconds)), execute: giveUp)
    }
    if !isThere { Issue.record("\(what): it did not happen; there is \(value)", sourceLocation: sourceLocation) }
  }

  private func giveUp(_ number: Int) {
    let late = state.withLock { state in
      defer { state.waiting.removeAll { $0.number == number } }
      return state.waiting.first { $0.number == number }
    }
    late?.continuation.resume(returning: false)
  }
}

// How tasks wait for each other. What all locks and queues of this package have in common:
//
// - The state is a value behind a lock, so any task of any loop, or of none, may use it; it is not bound to a loop. Its
//   mutations return which tasks to resume; no task is resumed while the lock is held.
// - What is free, or becomes free, is handed to the first waiter. No task overtakes: while one waits, a newcomer also
//   waits.
// - A task that is cancelled leaves the queue, if it is still in it. If it was already granted the resource, it keeps
//   it: the wait returns normally despite the cancellation. So nothing that was handed over is lost.
// - The runtime's own slot for a continuation is invisible to the thread sanitizer: if a task is resumed before it was
//   suspended, the sanitizer does not see that the waiter's code comes after the giver's. So each hand-over is
//   announced.

internal import CAsyncIO

/// Waiting tasks, first in, first out, each for an outcome.
struct Waiters<Outcome: Sendable>: Sendable {
  typealias Continuation = UnsafeContinuation<Outcome, Never>

  private var order = FirstInFirstOut<UInt64>()
  private var waiting: [UInt64: Continuation] = [:]

  var isEmpty: Bool { waiting.isEmpty }
  var count: Int { waiting.count }

  mutating func append(_ id: UInt64, _ continuation: Continuation) {
    assert(waiting[id] == nil, "one wait came twice")
    order.append(id)
    waiting[id] = continuation
    assert(order.count >= waiting.count, "a task waits that is not in the order")
  }

  mutating func popFirst() -> Continuation? {
    while let id = order.popFirst() {
      guard let continuation = waiting.removeValue(forKey: id) else { continue }
      if let address = continuation.sanitizerAddress { casyncio_lock_leaving(address) }
      return continuation
    }
    return nil
  }

  /// Take a task out, wherever it is in the queue; nil if it is gone.
  mutating func remove(_ id: UInt64) -> Continuation? {
    guard let continuation = waiting.removeValue(forKey: id) else { return nil }
    // Its number stays. When most numbers have no waiter, they are removed.
    if order.count > 2 * waiting.count + 32 { order.keep { waiting[$0] != nil } }
    return continuation
  }

  mutating func removeAll() -> [Continuation] {
    var all: [Continuation] = []
    while let continuation = popFirst() { all.append(continuation) }
    return all
  }
}

/// Numbers waits, so that each can be taken back.
struct WaitNumbers: Sendable {
  private var last: UInt64 = 0

  mutating func next() -> UInt64 {
    last += 1
    return last
  }
}

/// What a task that wants to wait is told at once.
enum Admission<Outcome: Sendable>: Sendable {
  case now(Outcome)
  case waits
}

/// Wait for an outcome; the wait is taken back when the task is cancelled.
///
/// - Parameters:
///   - enter: puts the continuation into a queue, under the queue's lock, or returns the outcome.
///   - leave: takes the wait back, under the same lock; nil if it already has its outcome.
///   - point: what the task waits for, for those who look at the process.
func waitCancellably<Outcome: Sendable>(
  _ id: UInt64, cancelled: Outcome, on point: @autoclosure () -> (any WaitPoint)? = nil,
  enter: @Sendable (UnsafeContinuation<Outcome, Never>) -> Admission<Outcome>,
  leave: @escaping @Sendable (UInt64) -> UnsafeContinuation<Outcome, Never>?,
  isolation: isolated (any Actor)? = #isolation
) async -> Outcome {
  var address: UnsafeMutableRawPointer?
  let record = WaitRecords.shared.begin(point())
  let outcome = await suspendCancellably { (continuation: UnsafeContinuation<Outcome, Never>) in
    address = continuation.sanitizerAddress
    switch enter(continuation) {
    case .now(let outcome): continuation.resume(returning: outcome)
    case .waits: WaitRecords.shared.reportCircle(record)
    }
  } onCancel: {
    leave(id)?.resume(returning: cancelled)
  }
  WaitRecords.shared.end(record)
  if let address { casyncio_lock_taken(address) }
  return outcome
}

/// Wait for an outcome; nothing takes the wait back. The body puts the continuation into a queue, or resumes it.
func waitUncancellably<Outcome: Sendable>(
  _ enter: (UnsafeContinuation<Outcome, Never>) -> Void, isolation: isolated (any Actor)? = #isolation
) async -> Outcome {
  var address: UnsafeMutableRawPointer?
  let outcome = await withUnsafeContinuation { (continuation: UnsafeContinuation<Outcome, Never>) in
    address = continuation.sanitizerAddress
    enter(continuation)
  }
  if let address { casyncio_lock_taken(address) }
  return outcome
}

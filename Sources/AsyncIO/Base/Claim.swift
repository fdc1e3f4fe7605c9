internal import Synchronization

/// One task at a time: the task that takes it has what it stands for until it is released. Any thread.
///
/// What one task wrote before it released the claim is seen by the next one that takes it. That makes a claim the guard
/// of fields that have no lock.
struct Claim: ~Copyable, Sendable {
  private let isTaken = Atomic<Bool>(false)

  /// Take it. Throws code `busy` with this text if another task has it: what that task does, and the way out.
  @inline(__always)
  func take(or conflict: @autoclosure () -> String) throws(EventLoopError) {
    guard isTaken.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      throw EventLoopError(.busy, conflict())
    }
  }

  @inline(__always)
  func release() {
    assert(isTaken.load(ordering: .relaxed), "a claim was released that nobody had")
    isTaken.store(false, ordering: .releasing)
  }
}

internal import Synchronization

/// A task on its way to a loop. It runs there, or, if the loop closes first and drops it, what was given for that case
/// runs instead: a promise that it was to keep must not get lost. Exactly one of the two happens, once.
final class PostedTask: Sendable {
  private let isTaken = Atomic<Bool>(false)
  private let body: @Sendable () -> Void
  private let dropped: @Sendable () -> Void

  /// - Parameter dropped: called in the thread that posts to a closed loop, or in the one that closes the loop.
  init(_ body: @escaping @Sendable () -> Void, dropped: @escaping @Sendable () -> Void) {
    (self.body, self.dropped) = (body, dropped)
  }

  /// The loop's queue holds the only reference, and drops it with what it does not run.
  deinit { if take() { dropped() } }

  func run() { if take() { body() } }

  private func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
}

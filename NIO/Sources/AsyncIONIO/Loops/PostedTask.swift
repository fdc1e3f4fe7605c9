internal import Synchronization

/// A task on its way to a loop. It runs there, or, if the loop closes first and drops it, what was given for that case
/// runs instead: a promise that it was to keep must not get lost. Exactly one of the two happens, once, unless it is
/// taken back before.
///
/// Right as unchecked because what can change is atomic; a subclass answers for its own state.
class PostedTask: @unchecked Sendable {
  private let taken = Atomic<Bool>(false)
  private let body: @Sendable () -> Void
  private let dropped: @Sendable () -> Void

  /// - Parameter dropped: called in the thread that posts to a closed loop, or in the one that closes the loop.
  init(_ body: @escaping @Sendable () -> Void, dropped: @escaping @Sendable () -> Void) {
    (self.body, self.dropped) = (body, dropped)
  }

  /// The loop's queue, or a timer, holds the only reference, and drops it with what it does not run.
  deinit { if take() { dropped() } }

  final func run() { if take() { body() } }

  /// True once it has run or was taken back.
  final var isTaken: Bool { taken.load(ordering: .relaxed) }

  /// Take it back. Returns `false` if it has run, or was taken back before.
  final func take() -> Bool { !taken.exchange(true, ordering: .acquiringAndReleasing) }
}

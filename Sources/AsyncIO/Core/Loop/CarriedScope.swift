internal import Synchronization

/// The scope that callbacks carry from the code that scheduled them, at the price of one task-local look-up: the scope
/// of a policy. The loop does not know policies; `withEventLoopPolicy` puts its scope here.
///
/// The only subclass guards its state by a lock, which is what makes the unchecked conformance right.
class CarriedScope: @unchecked Sendable {
  @TaskLocal static var current: CarriedScope?

  /// True once any scope was made: a program without one is spared the look-up.
  private static let exists = Atomic<Bool>(false)

  init() { Self.exists.store(true, ordering: .relaxed) }

  /// The same as `current`, without the look-up if it can be spared. The thread that made a scope sees the flag, and no
  /// other code sees the scope before that thread has passed it on.
  @inline(__always)
  static var ofCaller: CarriedScope? { exists.load(ordering: .relaxed) ? current : nil }
}

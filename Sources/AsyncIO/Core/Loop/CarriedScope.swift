internal import Synchronization

/// What callbacks carry from the code that scheduled them, at the price of one task-local look-up: the scope of a
/// policy. The loop does not know policies; `withEventLoopPolicy` puts its scope here.
///
/// The one subclass guards its state by a lock, which is what makes the unchecked conformance right.
class CarriedScope: @unchecked Sendable {
  @TaskLocal static var current: CarriedScope?

  /// Some scope was ever made: a program without one is spared the look-up.
  private static let exists = Atomic<Bool>(false)

  init() { Self.exists.store(true, ordering: .relaxed) }

  /// As `current`. In the thread that made a scope the flag is seen, and the scope is seen nowhere else before whoever
  /// made it has passed it on.
  @inline(__always)
  static var ofCaller: CarriedScope? { exists.load(ordering: .relaxed) ? current : nil }
}

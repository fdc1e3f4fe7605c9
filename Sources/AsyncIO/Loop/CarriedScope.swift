/// What callbacks carry from the code that scheduled them, at the price of one task-local look-up: the scope of a
/// policy. The loop does not know policies; `withEventLoopPolicy` puts its scope here.
///
/// The one subclass guards its state by a lock, which is what makes the unchecked conformance right.
class CarriedScope: @unchecked Sendable {
  @TaskLocal static var current: CarriedScope?
}

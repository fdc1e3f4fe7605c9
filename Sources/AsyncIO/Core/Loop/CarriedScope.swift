internal import Synchronization

/// The scope that callbacks carry from the code that scheduled them, at the price of one task-local look-up: the scope
/// of a policy. The loop does not know policies; `withEventLoopPolicy` puts its scope here.
///
/// Another package's context may travel with it, see ``ContextCarrier``: then what is carried is a `ContextScope`.
///
/// Subclasses guard their state by a lock or have none that changes, which is what makes the unchecked conformance
/// right.
class CarriedScope: @unchecked Sendable {
  @TaskLocal static var current: CarriedScope?

  /// True once any scope was made: a program without one is spared the look-up.
  private static let exists = Atomic<Bool>(false)
  private static let carrier = Lock<(any ContextCarrier)?>(nil)

  init() { Self.exists.store(true, ordering: .relaxed) }

  /// What a callback of the caller has to carry: `current`, without the look-up if it can be spared, and the context of
  /// a carrier if there is one. The thread that made a scope sees the flag, and no other code sees the scope before
  /// that thread has passed it on.
  @inline(__always)
  static var ofCaller: CarriedScope? { exists.load(ordering: .relaxed) ? captured() : nil }

  @inline(never)
  private static func captured() -> CarriedScope? {
    guard let carrier = carrier.withLock({ $0 }), let context = carrier.capture() else { return current }
    return ContextScope(current, context, carrier)
  }

  /// Run the body in this scope.
  func enter<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$current.withValue(self) { try body() }
  }

  /// Run the body in a scope, or in none: then neither a scope nor a context of the caller is seen in it.
  static func enter<Result>(_ scope: CarriedScope?, _ body: () throws -> Result) rethrows -> Result {
    if let scope { return try scope.enter(body) }
    return try $current.withValue(nil) {
      if let carrier = carrier.withLock({ $0 }) { return try carrier.restore(nil, body) }
      return try body()
    }
  }

  fileprivate static func install(_ carrier: any ContextCarrier) {
    Self.carrier.withLock { $0 = carrier }
    exists.store(true, ordering: .relaxed)
  }
}

/// Knows a task-local value of another package that callbacks have to carry, such as the context of a trace.
package protocol ContextCarrier: Sendable {
  /// Return the value of the caller; `nil` if it has none.
  func capture() -> (any Sendable)?
  /// Run the body with a value that was captured, or without any.
  func restore<Result>(_ context: (any Sendable)?, _ body: () throws -> Result) rethrows -> Result
}

/// Let a carrier's context travel with callbacks from now on, for the rest of the process. A second call replaces the
/// carrier for what is scheduled later. Any thread.
package func carryContext(by carrier: any ContextCarrier) { CarriedScope.install(carrier) }

/// A scope, or none, with the context of a carrier. It is carried, and never current: to enter it is to enter both.
private final class ContextScope: CarriedScope, @unchecked Sendable {
  private let scope: CarriedScope?
  private let context: any Sendable
  private let carrier: any ContextCarrier

  init(_ scope: CarriedScope?, _ context: any Sendable, _ carrier: any ContextCarrier) {
    (self.scope, self.context, self.carrier) = (scope, context, carrier)
  }

  override func enter<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$current.withValue(scope) { try carrier.restore(context, body) }
  }
}

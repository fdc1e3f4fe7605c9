/// A point on the clock of an event loop: nanoseconds since an arbitrary start, never going back.
///
/// Arithmetic saturates: an instant too far away is ``distantFuture``, at which nothing ever fires. Answers the float
/// seconds of asyncio's `loop.time()`.
public struct EventLoopInstant: InstantProtocol, Hashable, Sendable, CustomStringConvertible {
  /// Nanoseconds since the clock's start.
  public var nanoseconds: Int64

  /// Create a time on the clock of a loop, in nanoseconds.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// A deadline that is never reached.
  public static let distantFuture = EventLoopInstant(nanoseconds: .max)

  /// Return the time after a duration; saturates.
  public func advanced(by duration: Duration) -> EventLoopInstant {
    advanced(byNanoseconds: duration.saturatedNanoseconds)
  }

  func advanced(byNanoseconds delta: Int64) -> EventLoopInstant {
    let (sum, overflow) = nanoseconds.addingReportingOverflow(delta)
    return EventLoopInstant(nanoseconds: overflow ? (delta < 0 ? .min : .max) : sum)
  }

  /// Return the duration from this time to another one; negative if that is earlier.
  public func duration(to other: EventLoopInstant) -> Duration {
    let (difference, overflow) = other.nanoseconds.subtractingReportingOverflow(nanoseconds)
    return .nanoseconds(overflow ? (other < self ? .min : .max) : difference)
  }

  /// Return whether the first time is earlier.
  public static func < (a: EventLoopInstant, b: EventLoopInstant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// The time in seconds.
  public var description: String { "\(Double(nanoseconds) / 1e9) s" }
}

extension Duration {
  /// Whole nanoseconds, rounded up (a timer is never early) and limited to what an Int64 holds.
  package var saturatedNanoseconds: Int64 {
    // First, because `components` ends the process for more seconds than an Int64 holds.
    if self >= .nanoseconds(Int64.max) { return .max }
    if self <= .nanoseconds(Int64.min) { return .min }
    let (seconds, attoseconds) = components
    let part = attoseconds / 1_000_000_000 + (attoseconds % 1_000_000_000 > 0 ? 1 : 0)
    return seconds * 1_000_000_000 + part
  }

  /// Convert seconds to a duration. Throws for NaN, which asyncio accepts and which then corrupts its order of timers;
  /// infinite and huge values saturate.
  static func checked(seconds: Double, of operation: String) throws(EventLoopError) -> Duration {
    guard !seconds.isNaN else {
      throw EventLoopError(.invalidArgument, "\(operation): the delay is NaN. Give a number of seconds.")
    }
    let limit = 9.2e9  // 292 years: what an Int64 of nanoseconds holds
    return .nanoseconds(
      seconds >= limit ? .max : seconds <= -limit ? .min : Int64((seconds * 1e9).rounded(.up)))
  }
}

/// The random numbers of a simulation: the same seed gives the same numbers, on every machine.
///
/// A world has several of them, one for each purpose. So the numbers that a program draws do not change when a fault is
/// switched off, and a failure can be shrunk step by step.
public struct SimulationRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// - Parameters:
  ///   - seed: of the world.
  ///   - stream: numbers of other streams are independent.
  public init(seed: UInt64, stream: UInt64 = 0) {
    state = seed
    // Neighbouring seeds must not give neighbouring numbers.
    state = next() ^ (stream &* 0x9E37_79B9_7F4A_7C15)
    _ = next()
  }

  /// Return the next 64 bits (SplitMix64).
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }

  /// Return a number that is at least 0 and less than 1.
  public mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Return true with this probability.
  public mutating func chance(_ probability: Double) -> Bool { probability > 0 && fraction() < probability }

  /// Return a number that is at least 0 and less than the limit; 0 for a limit that is not positive.
  public mutating func below(_ limit: Int) -> Int {
    // The number is drawn all the same: what comes after it must not depend on the limit.
    Int(next().multipliedFullWidth(by: UInt64(max(0, limit))).high)
  }

  /// Return a duration of an exponential distribution: mostly short, now and then long, never more than ten times the
  /// mean.
  public mutating func around(_ mean: Duration) -> Duration { .nanoseconds(around(mean.nanoseconds)) }

  mutating func around(_ mean: Int64) -> Int64 {
    let time = min(10, naturalExponential()) * Double(mean)
    return Int64(exactly: time.rounded(.towardZero)) ?? (time < 0 ? .min : .max)
  }

  /// Return a number of mean 1, by sums and comparisons only (von Neumann's method): a logarithm of the C library may
  /// differ in its last digit from machine to machine, and a simulation must not.
  private mutating func naturalExponential() -> Double {
    var whole = 0.0
    while true {
      let first = fraction()
      var last = first
      var falls = 1
      while true {
        let following = fraction()
        if following >= last { break }
        last = following
        falls += 1
      }
      if falls % 2 == 1 { return whole + first }
      whole += 1
    }
  }
}

extension Int64 {
  /// Return the sum, or the largest or smallest number if there is none.
  func advancedSaturating(by other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }
}

extension Duration {
  /// Whole nanoseconds, as far as they go.
  var nanoseconds: Int64 {
    // First, because `components` ends the process for more seconds than an Int64 holds.
    if self >= .nanoseconds(Int64.max) { return .max }
    if self <= .nanoseconds(Int64.min) { return .min }
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}

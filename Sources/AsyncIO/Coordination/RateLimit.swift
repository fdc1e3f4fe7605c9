/// A limit of how often something may happen: a bucket of tokens, which fills at a steady rate and is full at first.
/// Tasks get their tokens in the order in which they asked.
///
/// ```swift
/// let limit = try RateLimit(tokens: 10, per: .seconds(1))
/// for page in 1...1000 {
///   try await limit.acquire()
///   try await fetch(page)
/// }
/// ```
/// The time is that of the running loop's clock; loops of one process share theirs. Any task of a loop may use it; one
/// that is cancelled while it waits throws `CancellationError` and takes no token.
public final class RateLimit: Sendable {
  private let bucket: Lock<TokenBucket>
  /// Held by the task that gets the next tokens; the others wait for it, in order.
  private let turn = AsyncLock()

  /// Create a limit.
  ///
  /// - Parameters:
  ///   - tokens: how many come in each period, one after another and not all at once; at least 1.
  ///   - period: more than zero.
  ///   - burst: the most tokens that are kept for later; at least 1, as many as come in a period unless it is given.
  /// - Throws: code `invalidArgument` for less.
  public init(tokens: Int, per period: Duration, burst: Int? = nil) throws(EventLoopError) {
    guard tokens > 0, period > .zero, burst ?? 1 > 0 else {
      throw EventLoopError(
        .invalidArgument,
        "RateLimit: \(tokens) tokens per \(period), burst \(burst ?? tokens). Give at least 1, more than zero, and 1.")
    }
    bucket = Lock(TokenBucket(tokens: tokens, period: period.saturatedNanoseconds, burst: burst ?? tokens))
  }

  /// Wait for tokens, and take them all at once. Smaller requests that come later wait as well.
  ///
  /// Throws `CancellationError`; code `invalidArgument` for a negative number, and for more than the burst, which never
  /// come; `noRunningLoop` outside of a loop's thread.
  public func acquire(_ count: Int = 1) async throws {
    try check(count, "acquire")
    try await turn.withLock {
      let core = try runningCore("acquire")
      while let ready = bucket.withLock({ $0.take(count, at: core.time()) }) {
        try await core.sleep(until: ready)
      }
    }
  }

  /// Take tokens now. Returns `false` if they are not there, or if a task waits for some. Throws code `invalidArgument`
  /// as ``acquire(_:)``; `noRunningLoop` outside of a loop's thread.
  public func tryAcquire(_ count: Int = 1) throws(EventLoopError) -> Bool {
    try check(count, "tryAcquire")
    let now = try runningCore("tryAcquire").time()
    return !turn.isLocked && bucket.withLock { $0.take(count, at: now) } == nil
  }

  private func check(_ count: Int, _ operation: String) throws(EventLoopError) {
    let burst = bucket.withLock { $0.burst }
    guard count < 0 || count > burst else { return }
    throw EventLoopError(
      .invalidArgument, "\(operation): \(count) tokens never come. Give from 0 to \(burst), or a larger burst.")
  }
}

/// The tokens that are there. In whole numbers, so that nothing is lost however often it is asked: a nanosecond brings
/// as many parts as there are tokens in a period, and a token has as many parts as the period has nanoseconds.
struct TokenBucket: Sendable {
  let tokens: Int
  let period: Int64
  let burst: Int
  private var parts: Int128
  /// When the parts were counted; nil before the first time.
  private var counted: EventLoopInstant?

  init(tokens: Int, period: Int64, burst: Int) {
    (self.tokens, self.period, self.burst) = (tokens, period, burst)
    parts = Int128(burst) * Int128(period)
  }

  /// Take tokens, and return nil; if they are not there return when they will be.
  mutating func take(_ count: Int, at now: EventLoopInstant) -> EventLoopInstant? {
    if let counted, now > counted {
      // Fits: each product is less than 2^126.
      let more = Int128(counted.duration(to: now).saturatedNanoseconds) * Int128(tokens)
      parts = min(parts + more, Int128(burst) * Int128(period))
    }
    // The clock of another loop may be a little behind.
    counted = max(counted ?? now, now)
    let price = Int128(count) * Int128(period)
    if parts >= price {
      parts -= price
      return nil
    }
    return now.advanced(byNanoseconds: Self.quotientUp(UInt128(price - parts), UInt64(tokens)))
  }

  /// Divide, round up, and stop at the largest number. By halves: the division of 128 bits is a function of the
  /// compiler's own library, which is not linked everywhere.
  private static func quotientUp(_ dividend: UInt128, _ divisor: UInt64) -> Int64 {
    let high = UInt64(truncatingIfNeeded: dividend >> 64)
    guard high < divisor else { return .max }
    let (quotient, rest) = divisor.dividingFullWidth((high, UInt64(truncatingIfNeeded: dividend)))
    return Int64(clamping: rest == 0 ? quotient : quotient.addingReportingOverflow(1).partialValue)
  }
}

/// How many bytes may wait to be sent before a protocol is asked to pause, and how few must be left before it may go
/// on. Answers the pair of asyncio's `get_write_buffer_limits`.
public struct WriteBufferLimits: Hashable, Sendable {
  /// At or below this the protocol may go on.
  public let low: Int
  /// Strictly above this it is asked to pause.
  public let high: Int

  /// 64 KiB, and a quarter of it.
  public static let `default` = WriteBufferLimits(low: 16 * 1024, high: 64 * 1024)

  private init(low: Int, high: Int) {
    self.low = low
    self.high = high
  }

  /// Create limits; one or both may be left out: `high` is then four times `low`, or 64 KiB, and `low` a quarter of
  /// `high`. A `high` of 0 asks for a pause whenever anything waits. Throws code `invalidArgument` unless `high >= low
  /// >= 0`.
  public init(high: Int? = nil, low: Int? = nil) throws(EventLoopError) {
    let upper = high ?? low.map(Self.fourfold) ?? Self.default.high
    let lower = low ?? upper / 4
    guard upper >= lower, lower >= 0 else {
      throw EventLoopError(
        .invalidArgument,
        "setWriteBufferLimits: high is \(upper) and low is \(lower). Give high >= low >= 0.")
    }
    self.init(low: lower, high: upper)
  }

  private static func fourfold(_ low: Int) -> Int { low > .max / 4 ? .max : max(0, low) * 4 }
}

/// Decides when to ask a protocol to pause its writing, and when to let it go on: once each, in turns.
struct WriteFlow {
  enum Action { case nothing, pause, resume }

  private(set) var limits = WriteBufferLimits.default
  private(set) var isPaused = false
  /// True during a callback about a result; what it writes has results of its own.
  var isTelling = false

  /// Update the number of bytes that wait.
  @inline(__always)
  mutating func update(_ size: Int) -> Action {
    if isPaused {
      guard size <= limits.low else { return .nothing }
      isPaused = false
      return .resume
    }
    guard size > limits.high else { return .nothing }
    isPaused = true
    return .pause
  }

  /// Set other limits, which hold for what waits now.
  mutating func setLimits(_ limits: WriteBufferLimits, _ size: Int) -> Action {
    self.limits = limits
    return update(size)
  }

  /// Return how many bytes to send before `update` has something to say.
  func bytesToResume(_ size: Int) -> Int { isPaused && size > limits.low ? size - limits.low : size }
}

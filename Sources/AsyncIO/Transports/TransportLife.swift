/// What a connected transport may do, from beginning to end: a state machine that knows nothing of sockets.
///
/// `new` (the protocol does not know it yet, or the caller that asked for it does not have it), `open`, `flushing`
/// (closed here, bytes wait), `settling` (closed here, everything is handed over, and the backend does not know yet
/// whether it was sent), `ending` (the protocol is about to be told of the loss), `gone`.
struct TransportLife {
  enum Phase: Int, Comparable {
    case new, open, flushing, settling, ending, gone
    static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
  }

  private(set) var phase = Phase.new
  private(set) var isPaused = false
  /// The peer has sent its last byte.
  private(set) var peerHasEnded = false
  /// The end of this side's output has been announced.
  private(set) var endsWriting = false
  private var discardedWrites = 0

  /// The number of discarded writes from which on each is logged. Answers `LOG_THRESHOLD_FOR_CONNLOST_WRITES`.
  static var loudDiscards: Int { 5 }

  var isClosing: Bool { phase > .open }
  /// True if the protocol wants what the peer sends.
  @inline(__always)
  var wantsInput: Bool { phase == .open && !isPaused && !peerHasEnded }

  /// Note that the protocol knows its transport.
  mutating func made() {
    if phase == .new { phase = .open }
  }

  // MARK: Reading

  /// Pause. Returns `true` if reading has to stop.
  mutating func pause() -> Bool {
    guard !isClosing, !isPaused else { return false }
    isPaused = true
    return true
  }

  /// Resume. Returns `true` if reading may have to go on.
  mutating func resume() -> Bool {
    guard !isClosing, isPaused else { return false }
    isPaused = false
    return wantsInput
  }

  /// Note the end of the peer's stream, which is told once, whatever is paused and resumed afterwards.
  mutating func peerEnded() { peerHasEnded = true }

  // MARK: Writing

  enum Writing { case send, discard, discardLoudly, refuse }

  @inline(__always)
  mutating func write(isEmpty: Bool) -> Writing {
    if endsWriting { return .refuse }
    if isEmpty { return .discard }
    // Layers that close while they have a backlog write it from `resumeWriting`.
    return phase > .flushing ? discard() : .send
  }

  private mutating func discard() -> Writing {
    discardedWrites += 1
    return discardedWrites >= Self.loudDiscards ? .discardLoudly : .discard
  }

  /// End the output. Returns `true` if the end of the stream can be sent now.
  mutating func endWriting(hasOutput: Bool) -> Bool {
    guard !isClosing, !endsWriting else { return false }
    endsWriting = true
    return !hasOutput
  }

  enum AfterOutput { case nothing, sendEnd, settle, finish }

  /// Note that the last byte that waited is gone.
  ///
  /// - Parameter isSettled: it is known to have been sent.
  mutating func flushed(isSettled: @autoclosure () -> Bool = true) -> AfterOutput {
    switch phase {
    case .new, .open: return endsWriting ? .sendEnd : .nothing
    case .flushing where !isSettled():
      phase = .settling
      return .settle
    case .flushing, .settling:
      phase = .ending
      return .finish
    case .ending, .gone: return .nothing
    }
  }

  // MARK: Ending

  /// Close. Returns `true` if nothing waits and the end can be told.
  ///
  /// - Parameter isSettled: true if what no longer waits is known to have been sent.
  mutating func close(hasOutput: Bool, isSettled: Bool = true) -> Bool {
    guard !isClosing else { return false }
    phase = hasOutput ? .flushing : isSettled ? .ending : .settling
    return phase == .ending
  }

  /// Lose the connection or give it up. Returns `true` if the end can be told; the first reason counts.
  mutating func fail() -> Bool {
    guard phase < .ending else { return false }
    phase = .ending
    return true
  }

  /// Finish: the protocol has been told, or never will be. Returns `true` if the transport was not gone before.
  mutating func finish() -> Bool {
    defer { phase = .gone }
    return phase != .gone
  }
}

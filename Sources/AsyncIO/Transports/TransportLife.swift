/// What a connected transport may do, from its making to its end: a state machine that knows nothing of sockets.
///
/// `new` (the protocol does not know it yet), `open`, `flushing` (closed here, bytes wait), `ending` (the protocol is
/// about to hear that it is lost), `gone`.
struct TransportLife {
  enum Phase: Int, Comparable {
    case new, open, flushing, ending, gone
    static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
  }

  private(set) var phase = Phase.new
  private(set) var isPaused = false
  /// The peer has sent its last byte.
  private(set) var peerHasEnded = false
  /// The own last byte has been announced.
  private(set) var endsWriting = false
  private var discardedWrites = 0

  /// From how many discarded writes on each is logged. Answers `LOG_THRESHOLD_FOR_CONNLOST_WRITES`.
  static var loudDiscards: Int { 5 }

  var isClosing: Bool { phase > .open }
  /// The protocol wants what the peer sends.
  @inline(__always)
  var wantsInput: Bool { phase == .open && !isPaused && !peerHasEnded }

  /// The protocol knows its transport.
  mutating func made() {
    if phase == .new { phase = .open }
  }

  // MARK: Reading

  /// `true`: reading has to stop.
  mutating func pause() -> Bool {
    guard !isClosing, !isPaused else { return false }
    isPaused = true
    return true
  }

  /// `true`: reading may have to go on.
  mutating func resume() -> Bool {
    guard !isClosing, isPaused else { return false }
    isPaused = false
    return wantsInput
  }

  /// The end of the stream is told once, whatever is paused and resumed afterwards.
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

  /// `true`: the end of the stream can be sent now.
  mutating func endWriting(hasOutput: Bool) -> Bool {
    guard !isClosing, !endsWriting else { return false }
    endsWriting = true
    return !hasOutput
  }

  enum AfterOutput { case nothing, sendEnd, finish }

  /// The last byte that waited is gone.
  mutating func flushed() -> AfterOutput {
    if phase == .flushing {
      phase = .ending
      return .finish
    }
    return endsWriting && phase <= .open ? .sendEnd : .nothing
  }

  // MARK: Ending

  /// `true`: nothing waits, the end can be told.
  mutating func close(hasOutput: Bool) -> Bool {
    guard !isClosing else { return false }
    phase = hasOutput ? .flushing : .ending
    return !hasOutput
  }

  /// The connection is lost or given up. `true`: the end can be told; the first reason counts.
  mutating func fail() -> Bool {
    guard phase < .ending else { return false }
    phase = .ending
    return true
  }

  /// The protocol has been told, or never will be. `true`: it was not gone before.
  mutating func finish() -> Bool {
    defer { phase = .gone }
    return phase != .gone
  }
}

internal import SystemPackage

/// How far a protected connection is, as a machine that knows nothing of sockets and sessions.
///
/// `handshaking` (nothing of the user's may be sent), `open`, `lingering` (closed by its user, and something is to be
/// said or heard), `gone`.
struct TLSLife {
  enum Phase: Int, Comparable {
    case handshaking, open, lingering, gone
    static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
  }

  private(set) var phase = Phase.handshaking
  /// The first failure of the protection, which every later operation gets as well.
  private(set) var failure: TLSError?
  /// What receives from the socket ended with, negated: neither direction can go on. 0 if they did not fail.
  private(set) var receiveError = 0
  /// What sends to the socket ended with, negated: what the peer has sent before may still come. 0 if they did not
  /// fail.
  private(set) var sendError = 0
  /// The peer has said goodbye: what it sent is complete.
  private(set) var heardGoodbye = false
  /// The peer's socket has sent its last byte.
  private(set) var peerHasEnded = false
  /// This side has said goodbye and says nothing more.
  private(set) var saidGoodbye = false
  private var owesGoodbye = false

  /// What a read ends with when no byte is left; nil if more may come.
  var readResult: Int? {
    if heardGoodbye { return 0 }
    return failure != nil ? TLSLife.failed : receiveError < 0 ? receiveError : nil
  }

  /// The error of the socket that writes end with; 0 if bytes can be sent.
  @inline(__always)
  var writeError: Int { sendError < 0 ? sendError : receiveError }

  /// True if the peer's last words may tell why nothing can be sent any more, and have not been heard.
  var mayHearReason: Bool {
    let isGone = sendError == -Int(Errno.brokenPipe.rawValue) || sendError == -Int(Errno.connectionReset.rawValue)
    return isGone && failure == nil && receiveError == 0 && !heardGoodbye && !peerHasEnded
  }

  /// What a write ends with; nil if bytes may be sent.
  @inline(__always)
  var writeResult: Int? {
    if failure == nil && writeError == 0 && !saidGoodbye && !owesGoodbye { return nil }
    return failure != nil ? TLSLife.failed : writeError < 0 ? writeError : TLSLife.endedHere
  }

  /// True if nothing more can happen, because of the socket and not of the protection.
  var isLost: Bool {
    guard failure == nil else { return false }
    return receiveError < 0 || (phase == .handshaking && sendError < 0 && !mayHearReason)
  }

  // MARK: Events

  /// Note the end of the handshake. Returns `true` if goodbye is to be said now.
  mutating func established() -> Bool {
    assert(phase <= .open, "a handshake ended after the connection")
    phase = .open
    return owesGoodbye
  }

  /// Note a failure of the protection. Returns `false` if it is not the first one.
  mutating func fail(_ error: TLSError) -> Bool {
    guard failure == nil else { return false }
    failure = error
    return true
  }

  /// Note that a receive failed; the first error counts.
  mutating func loseInput(_ result: Int) {
    assert(result < 0, "an error of the socket is a negated number")
    if receiveError == 0 { receiveError = result }
  }

  /// Note that a send failed; the first error counts.
  mutating func loseOutput(_ result: Int) {
    assert(result < 0, "an error of the socket is a negated number")
    if sendError == 0 { sendError = result }
  }

  mutating func hearGoodbye() { heardGoodbye = true }
  mutating func peerEnded() { peerHasEnded = true }

  // MARK: Ending

  enum Goodbye { case now, later, never }

  /// End the output. The end of the handshake is waited for.
  mutating func endWriting() -> Goodbye {
    guard !saidGoodbye, !owesGoodbye, failure == nil, writeError == 0 else { return .never }
    if phase == .open { return .now }
    owesGoodbye = phase == .handshaking
    return owesGoodbye ? .later : .never
  }

  mutating func sayGoodbye() {
    saidGoodbye = true
    owesGoodbye = false
  }

  /// Close. Returns `true` if the number is to be kept until the peer has heard everything.
  ///
  /// A peer must not be cut off before it has read the last bytes: a socket that is closed with unread input resets
  /// the connection, which takes bytes away that are on their way, even those that ended the protection.
  mutating func close(hasOutput: Bool, isAbortive: Bool) -> Bool {
    let hasSaidSomething = phase == .open || failure != nil
    guard phase < .lingering, !isAbortive, writeError == 0, hasSaidSomething, hasOutput || !peerHasEnded else {
      phase = .gone
      return false
    }
    phase = .lingering
    return true
  }

  /// True when nothing is left to say or to hear.
  func hasLingered(hasOutput: Bool) -> Bool {
    assert(phase == .lingering, "a connection that was not closed has lingered")
    return writeError < 0 || (!hasOutput && peerHasEnded)
  }

  mutating func finish() { phase = .gone }
}

extension TLSLife {
  /// What operations end with after a failure of the protection, which the link has in words.
  static var failed: Int { -Int(Errno.protocolError.rawValue) }
  /// What writes end with after the goodbye of this side.
  static var endedHere: Int { -Int(Errno.brokenPipe.rawValue) }
}

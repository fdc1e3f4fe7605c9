internal import SystemPackage

// The end. The user's operations end at once, and the descriptor counts as closed. The link then sends what it still
// has and says goodbye, and it discards what the peer still sends: unread bytes would reset the connection before the
// peer has read everything.

extension TLSLink {
  /// Say goodbye for a descriptor that was closed. Returns `false` if nothing is to be said or heard.
  func beginLingering() -> Bool {
    stopLimit()
    if !descriptor.isAbortive, life.phase == .open, life.endWriting() == .now { sayGoodbye() }
    let lingers = life.close(hasOutput: !outgoing.isEmpty, isAbortive: descriptor.isAbortive)
    endAll(-Int(Errno.canceled.rawValue))
    returnInput()
    guard lingers else { return false }
    startLimit(limits.shutdown)
    if outgoing.isEmpty { sentLast() } else { discard() }
    return true
  }

  /// The last byte is with the system: end the stream.
  func sentLast() {
    try? core.backend.endWriting(descriptor)
    discard()
  }

  /// Receive and forget, until the peer has ended as well.
  func discard() {
    while life.phase == .lingering {
      if isReadable {
        fetch()
        returnInput()
      }
      if endLingeringIfOver() { return }
      guard !life.peerHasEnded, receiveMore() else { return }
    }
  }

  private func endLingeringIfOver() -> Bool {
    guard life.hasLingered(hasOutput: !outgoing.isEmpty) else { return false }
    endLingering()
    return true
  }

  /// Close the number, now at last.
  func endLingering() {
    stopLimit()
    life.finish()
    core.finishClosing(descriptor)
  }

  // MARK: Back to plain

  /// Leave a connection on which both sides have said goodbye and nothing waits. Returns what the peer has sent after
  /// that.
  func leave() -> [UInt8] {
    assert(life.saidGoodbye && life.heardGoodbye && outgoing.isEmpty, "a connection is left before its goodbyes")
    stopLimit()
    if isReadable, bytes.input.isEmpty { fetch() }
    let rest = Array(bytes.input)
    returnInput()
    life.finish()
    descriptor.layer = nil
    if receiving.isInFlight {
      receiving._withUnsafeGuaranteedRef { core.backend.cancel($0) }
    } else {
      releaseIfIdle()
    }
    return rest
  }
}

internal import SystemPackage

// From the first byte to the agreement. The link drives it by itself, so that its time limit holds even if nobody reads
// or writes; operations of the user wait until it is over.

extension TLSLink {
  /// Stand between the descriptor and its users, and begin the handshake. Loop thread; once.
  func start() {
    core.assertLoopThread()
    assert(descriptor.layer == nil, "a connection is protected twice")
    descriptor.layer = self
    startLimit(limits.handshake)
    shakeHands()
  }

  /// Wait for the end of the handshake.
  func awaitHandshake(_ operation: IOOperation) -> Bool {
    if life.phase == .handshaking && life.failure == nil && !life.isLost {
      return Self.park(operation, in: &opener)
    }
    return finish(operation, life.failure != nil ? TLSLife.failed : life.writeError)
  }

  /// Go on as far as the input allows, a bounded number of steps in each turn.
  func shakeHands() {
    while life.phase == .handshaking, life.failure == nil, !receiving.isInFlight {
      guard scratch.takeStep(in: core.turns) else { return goOnNextTurn() }
      if isReadable, bytes.input.isEmpty { fetchForSession() }
      if life.isLost { return endLost() }
      do throws(TLSError) {
        let isOver = try withSession { session throws(TLSError) in try session.handshake() }
        returnUsedInput()
        if isOver { return handshakeEnded() }
      } catch {
        returnInput()
        return fail(error)
      }
      if life.isLost { return endLost() }
      _ = receiveMore()
    }
  }

  /// Deliver the receive, which has ended or was not begun, in the next turn. If it brought nothing, its bytes are not
  /// there when they are fetched, and it begins anew.
  private func goOnNextTurn() {
    receiving._withUnsafeGuaranteedRef { receiving in
      receiving.result = 0
      core.completeNextTurn(receiving)
    }
  }

  private func handshakeEnded() {
    stopLimit()
    if life.established() { sayGoodbye() }
    Self.take(&opener)?.complete(life.writeError)
    readOn()
    writeOn()
  }

  // MARK: Time limits

  func startLimit(_ duration: Duration) {
    stopLimit()
    let limit = TLSTimeLimit(self)
    self.limit = limit
    core.timers.insert(LoopWord(limit, .node), deadline: core.time().advanced(by: duration).nanoseconds)
  }

  func stopLimit() {
    if let limit { core.timers.remove(limit) }
    limit = nil
  }

  fileprivate func timeIsUp() {
    limit = nil
    if life.phase == .lingering { return endLingering() }
    if life.mayHearReason {
      life.loseInput(life.sendError)
      return endLost()
    }
    if life.phase == .open {
      return fail(TLSError(.timedOut, "TLS: the peer did not say goodbye within \(limits.shutdown). Close instead."))
    }
    fail(
      TLSError(
        .timedOut,
        "TLS: the handshake did not end within \(limits.handshake). The peer may not speak TLS, or be overloaded."))
  }
}

/// The time limit of a handshake or a shutdown.
final class TLSTimeLimit: TimerNode {
  /// Right because a link takes its limit back before it goes, or the loop has dropped it.
  private unowned(unsafe) var link: TLSLink?

  init(_ link: TLSLink) { self.link = link }

  override var inspected: (what: String, task: UInt?) { ("a time limit of TLS", nil) }
  override func fire() { link?.timeIsUp() }
  override func drop() { link = nil }
}

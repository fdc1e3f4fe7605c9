internal import CAsyncIO

// The handshake, which goes on by itself as soon as anything waits for it: an operation `ready`, a read or a write.

extension TLSLink {
  /// Return `true` if the handshake is over.
  func tryHandshake(_ operation: IOOperation) -> Bool {
    beginHandshake()
    guard isEstablished || failure != nil else { return false }
    operation.result = failure == nil ? 0 : -Int(EPROTO)
    return true
  }

  /// Begin the handshake if that was not done: a client speaks first.
  func beginHandshake() {
    guard !hasBegun else { return }
    hasBegun = true
    takeStep()
    if !isEstablished && failure == nil { waitForInput() }
  }

  /// Wait for the next message of the handshake. What is there already is taken in the next turn: others must have
  /// theirs.
  func waitForInput() {
    guard asksForInput(), receiving.state != .inFlight else { return }
    core.completeNextTurn(receiving)
    keep()
  }

  /// Take a step if this turn has room for it, and tell who waits.
  func goOnWithHandshake() {
    guard scratch.admitsHandshake(in: core.turns) else { return waitForInput() }
    let result = takeStep()
    if result < 0 { failure = failure ?? IOError(result: result, "TLS handshake", "descriptor \(number)") }
    guard isEstablished || failure != nil else { return waitForInput() }
    if let operation = shaking {
      shaking = nil
      operation._withUnsafeGuaranteedRef { $0.complete(failure == nil ? 0 : -Int(EPROTO)) }
    }
    serveReading()
    serveWriting()
  }

  /// Let the session go on with what is there. Returns the error of the system, or 0.
  @discardableResult
  private func takeStep() -> Int {
    if !held.isEmpty {
      let input = held
      held = []
      input.withUnsafeBytes { shake($0) }
    } else if inputMayBeThere {
      inputMayBeThere = false
      receiving.transferred = 0
      guard below.claimLent(receiving) else { return 0 }
      guard receiving.result >= 0 else { return receiving.result }
      if receiving.result == 0 { bytes.inputHasEnded = true }
      shake(UnsafeRawBufferPointer(start: receiving.buffer, count: receiving.result))
      below.returnLent(receiving)
    } else {
      shake(UnsafeRawBufferPointer(start: nil, count: 0))
    }
    return 0
  }

  private func shake(_ input: UnsafeRawBufferPointer) {
    withSession(input) { session throws(TLSError) in isEstablished = try session.handshake() }
  }

  private var number: Int32 { receiving.descriptor.fileDescriptor }
}

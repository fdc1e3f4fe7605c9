internal import COpenSSL
internal import SystemPackage

// From the user's bytes to records on their way. A piece is encrypted when the records before it are with the system,
// so a peer that does not read makes the writer wait, and no more than a piece is kept for it.

extension TLSLink {
  /// The number of pieces after which a write lets others have their turn.
  private static var piecesPerTurn: Int { 16 }

  func write(_ operation: IOOperation) -> Bool {
    var budget = Self.piecesPerTurn
    while true {
      if life.writeResult != nil, !hearsReason(), let result = life.writeResult { return finish(operation, result) }
      guard life.phase == .open, outgoing.isEmpty, life.sendError == 0 else { break }
      let rest = operation.count - operation.transferred
      if rest == 0 { return finish(operation, operation.count) }
      if budget == 0 {
        writeOnNextTurn()
        break
      }
      budget -= 1
      let count = min(rest, TLSScratch.pieceSize)
      let piece = UnsafeRawBufferPointer(start: operation.buffer! + operation.transferred, count: count)
      guard encrypt(piece) else { continue }
      operation.transferred += count
    }
    return Self.park(operation, in: &writer)
  }

  /// Encrypt and send. Returns `false` after a failure.
  private func encrypt(_ piece: UnsafeRawBufferPointer) -> Bool {
    do throws(TLSError) {
      try withSession { session throws(TLSError) in try session.write(piece) }
      return true
    } catch {
      fail(error)
      return false
    }
  }

  /// Encrypt and send what the system takes without a wait.
  func writeNow(_ bytes: UnsafeRawBufferPointer) -> Int {
    if life.writeResult != nil { return lostResult }
    var taken = 0
    while life.phase == .open, writer == nil, outgoing.isEmpty, taken < bytes.count {
      let count = min(bytes.count - taken, TLSScratch.pieceSize)
      guard encrypt(UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + count])) else { break }
      taken += count
    }
    return taken == 0 || life.sendError < 0 ? lostResult : taken
  }

  /// What a write without an operation ends with after a failure. It waits for nothing, so 0 sends its caller to one
  /// with an operation, which hears the reason.
  private var lostResult: Int { life.mayHearReason ? 0 : life.writeResult ?? 0 }

  /// Wait until what was taken is with the system.
  func flush(_ operation: IOOperation) -> Bool {
    guard outgoing.isEmpty else { return Self.park(operation, in: &writer) }
    if life.writeError < 0 { return finish(operation, life.writeError) }
    guard life.phase < .gone, !sending.isInFlight, core.backend.hasUnsent(descriptor) else {
      return finish(operation, 0)
    }
    return sending._withUnsafeGuaranteedRef { sending in
      sending.kind = .flush
      if core.backend.submit(sending) {
        sending.kind = .send
        return finish(operation, sending.result)
      }
      return Self.park(operation, in: &writer)
    }
  }

  func sayGoodbye() {
    life.sayGoodbye()
    do throws(TLSError) {
      try withSession { session throws(TLSError) in try session.end() }
    } catch {
      fail(error)
    }
  }

  // MARK: Records on their way

  /// Send what the session has written, and take its block back.
  @inline(__always)
  func sendOutput() {
    let output = bytes.output
    if !output.isEmpty { send(output) }
    scratch.takeBack(from: bytes)
  }

  private func send(_ records: UnsafeRawBufferPointer) {
    guard life.writeError == 0 else { return }
    let sent = sendNow(records)
    if sent == records.count { return }
    outgoing.append(UnsafeRawBufferPointer(rebasing: records[sent...]))
    _ = sendRest()
  }

  /// Send what the system takes, if nothing is in front of it. Returns the number of bytes that are done with: all if
  /// the socket is lost.
  func sendNow(_ records: UnsafeRawBufferPointer) -> Int {
    guard outgoing.isEmpty, life.phase < .gone, !sending.isInFlight, life.writeError == 0 else { return 0 }
    let sent = sending._withUnsafeGuaranteedRef { sending in withBackend { $0.trySend(sending.descriptor, records) } }
    guard sent < 0 else { return sent }
    life.loseOutput(sent)
    return records.count
  }

  /// Hand over what waits. Returns `true` if nothing is left.
  private func sendRest() -> Bool {
    while life.phase < .gone, !sending.isInFlight, !outgoing.isEmpty, life.writeError == 0 {
      let piece = outgoing.next(.max)
      let hasEnded = sending._withUnsafeGuaranteedRef { sending in
        (sending.kind, sending.buffer, sending.count, sending.transferred) = (.send, piece.baseAddress, piece.count, 0)
        sending.sequence &+= 1
        guard core.backend.submit(sending) else { return false }
        takeResult(sending)
        return true
      }
      if !hasEnded { return false }
    }
    return outgoing.isEmpty
  }

  private func takeResult(_ sending: IOOperation) {
    sending.buffer = nil
    if sending.result >= 0 {
      outgoing.consume(sending.count)
    } else {
      outgoing.removeAll()
      life.loseOutput(sending.result)
    }
  }

  /// Let the write that waits go on in the next turn.
  private func writeOnNextTurn() {
    guard !sending.isInFlight else { return }
    sending._withUnsafeGuaranteedRef { sending in
      (sending.buffer, sending.count, sending.result) = (nil, 0, 0)
      core.completeNextTurn(sending)
    }
  }

  /// Handle the end of the link's own send, or flush.
  func sent(_ sending: IOOperation) {
    if sending.kind == .flush {
      sending.kind = .send
      Self.take(&writer)?.complete(sending.result)
    } else {
      takeResult(sending)
    }
    if life.phase == .gone { return releaseIfIdle() }
    guard sendRest() || life.writeError < 0 else { return }
    if life.phase == .lingering { return sentLast() }
    if life.isLost { return endLost() }
    writeOn()
    // A read may have waited for the peer to take its answers. One that waits for input goes on waiting.
    if life.phase < .gone, !receiving.isInFlight { readOn() }
  }

  /// Go on with the operation that waits to write.
  func writeOn() {
    guard let parked = Self.take(&writer) else { return }
    parked._withUnsafeGuaranteedRef { operation in
      operation.state = .idle
      guard operation.kind == .flush ? flush(operation) : write(operation) else { return }
      operation.state = .inFlight
      operation.complete(operation.result)
    }
  }
}

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
    guard let sending, sending.state != .inFlight, core.backend.hasUnsent(descriptor) else {
      return finish(operation, 0)
    }
    sending.kind = .flush
    if core.backend.submit(sending) {
      sending.kind = .send
      return finish(operation, sending.result)
    }
    return Self.park(operation, in: &writer)
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
  private func sendNow(_ records: UnsafeRawBufferPointer) -> Int {
    guard outgoing.isEmpty, sending?.state != .inFlight, life.writeError == 0 else { return 0 }
    let sent = core.backend.trySend(descriptor, records)
    guard sent < 0 else { return sent }
    life.loseOutput(sent)
    return records.count
  }

  /// Let the session send a large record while it is at work.
  func sendLargeRecordsDirectly() {
    bytes.pointer.pointee.sender = Unmanaged.passUnretained(self).toOpaque()
    bytes.pointer.pointee.send = { sender, record, count in
      guard let sender else { return 0 }
      // Right because a session only works for its link.
      return Unmanaged<TLSLink>.fromOpaque(sender)._withUnsafeGuaranteedRef {
        $0.sendNow(UnsafeRawBufferPointer(start: record, count: count))
      }
    }
  }

  /// Hand over what waits. Returns `true` if nothing is left.
  private func sendRest() -> Bool {
    while let sending, sending.state != .inFlight, !outgoing.isEmpty, life.writeError == 0 {
      let piece = outgoing.next(.max)
      (sending.kind, sending.buffer, sending.count, sending.transferred) = (.send, piece.baseAddress, piece.count, 0)
      sending.sequence &+= 1
      guard core.backend.submit(sending) else { return false }
      takeResult(sending)
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
    guard let sending, sending.state != .inFlight else { return }
    (sending.buffer, sending.count, sending.result) = (nil, 0, 0)
    core.completeNextTurn(sending)
  }

  /// Handle the end of the link's own send.
  func sent(_ sending: IOOperation) {
    if sending.kind == .flush {
      sending.kind = .send
      if let parked = Self.take(&writer) { parked.complete(sending.result) }
      return releaseIfIdle()
    }
    takeResult(sending)
    if life.phase == .gone { return releaseIfIdle() }
    guard sendRest() || life.writeError < 0 else { return }
    if life.phase == .lingering { return sentLast() }
    if life.isLost { return endLost() }
    writeOn()
    // A read may have waited for the peer to take its answers. One that waits for input goes on waiting.
    if receiving?.state != .inFlight { readOn() }
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

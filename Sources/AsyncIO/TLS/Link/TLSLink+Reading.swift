internal import COpenSSL
internal import SystemPackage

// From the peer's records to the user's bytes, when the user asks for them.

extension TLSLink {
  func read(_ operation: IOOperation) -> Bool {
    while life.phase == .open, !hasBacklog {
      if hasInput {
        if operation.kind == .receiveLent { return finish(operation, 0) }
        if let result = receive(operation) { return finish(operation, result) }
        continue
      }
      if let result = life.readResult { return finish(operation, result) }
      guard receiveMore() else { break }
    }
    if life.phase == .handshaking, let result = life.readResult { return finish(operation, result) }
    if life.phase >= .lingering { return finish(operation, -Int(Errno.canceled.rawValue)) }
    return Self.park(operation, in: &reader)
  }

  /// True while too many answers of the session wait to be sent: the peer has to take those before it gets more.
  private var hasBacklog: Bool { outgoing.count > TLSScratch.pieceSize * 4 }

  /// True if a look at the session may bring bytes without a wait.
  @inline(__always)
  private var hasInput: Bool { isReadable || sessionHasInput }

  /// True if the session can go on with what it has.
  @inline(__always)
  private var sessionHasInput: Bool {
    bytes.pointer.pointee.input_count > 0 || bytes.inputHasEnded || session.pending > 0
  }

  /// Go on with the operation that waits to read.
  func readOn() {
    guard let parked = Self.take(&reader) else { return }
    parked._withUnsafeGuaranteedRef { operation in
      operation.state = .idle
      guard read(operation) else { return }
      operation.state = .inFlight
      operation.complete(operation.result)
    }
  }

  /// Decrypt into the operation's memory. Returns nil if more input is needed.
  private func receive(_ operation: IOOperation) -> Int? {
    let memory = UnsafeMutableRawBufferPointer(start: operation.buffer, count: operation.count)
    let count = decrypt(into: memory)
    return count > 0 ? count : life.readResult
  }

  /// Decrypt what was announced into a lent buffer.
  func claim(_ operation: IOOperation) -> Bool {
    operation.buffer = nil
    if life.phase == .open {
      let buffer = scratch.pool.take()
      let count = decrypt(into: UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.capacity))
      if count > 0 {
        let lent = scratch.pool.lend(buffer, filled: count)
        (operation.buffer, operation.count, operation.result) = (lent.base, lent.capacity, count)
        return true
      }
      scratch.pool.giveBack(buffer.base, capacity: buffer.capacity)
    }
    guard let result = life.readResult else { return false }
    operation.result = result
    return true
  }

  /// Decrypt the input, and what one more fetch brings, until the memory is full. Returns the number of bytes; 0 if
  /// none have come yet, or none will come.
  private func decrypt(into memory: UnsafeMutableRawBufferPointer) -> Int {
    var count = 0
    do throws(TLSError) {
      // Asked without input, OpenSSL allocates a buffer, finds nothing to put there and frees it.
      if sessionHasInput { count = try decryptInput(memory) }
      if count == 0, !life.heardGoodbye, isReadable {
        fetchForSession()
        count = try decryptInput(memory)
      }
    } catch {
      // What came before the failure is good, and comes first.
      returnInput()
      fail(error)
    }
    returnUsedInput()
    return count
  }

  private func decryptInput(_ memory: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int {
    guard life.failure == nil, !life.heardGoodbye, !hasBacklog else { return 0 }
    var count = 0
    do throws(TLSError) {
      try withSession { session throws(TLSError) in
        while count < memory.count {
          guard let n = try session.read(into: UnsafeMutableRawBufferPointer(rebasing: memory[count...])) else {
            life.hearGoodbye()
            return
          }
          count += n
          // All of a record, and no more input: asking again would find that out, for half the price of a record.
          let isUsedUp = bytes.pointer.pointee.input_count == 0 && !(receivesDirectly && isReadable)
          let isLast = isUsedUp && count < memory.count
          if n == 0 || isLast { return }
        }
      }
    } catch {
      guard count > 0 else { throw error }
      fail(error)
    }
    return count
  }

  // MARK: The peer's last words

  /// Look at what the peer has sent before it went: an alert ends everything with its reason, and bytes for the user
  /// stay where they are. Returns `true` if more may come, and then the receive is under way.
  func hearsReason() -> Bool {
    while life.phase == .open, life.mayHearReason, session.pending == 0, !receiving.isInFlight {
      if hasInput { lookAhead() } else { _ = receiveMore() }
    }
    guard life.phase <= .open, life.mayHearReason, receiving.isInFlight else { return false }
    if limit == nil { startLimit(limits.shutdown) }
    return true
  }

  private func lookAhead() {
    if bytes.input.isEmpty, isReadable { fetchForSession() }
    do throws(TLSError) {
      let mayHaveMore = try withSession { session throws(TLSError) in try session.lookAhead() }
      if !mayHaveMore { life.hearGoodbye() }
    } catch {
      returnInput()
      fail(error)
    }
    returnUsedInput()
  }
}

internal import CAsyncIO

// Reading: bytes are decrypted when the program asks for them and not before, so that a slow reader holds up the peer
// as it does without TLS.

extension TLSLink {
  /// Return `true` if the operation has ended, and wait for input if not.
  func tryReading(_ operation: IOOperation) -> Bool {
    while true {
      if let end = endOfReading {
        operation.result = end
        return true
      }
      guard isEstablished else {
        beginHandshake()
        if isEstablished || failure != nil { continue }
        return false
      }
      guard hasDecryptable || asksForInput() else { return false }
      guard operation.kind == .receive else {
        operation.result = 0
        return true
      }
      operation.result = decrypt(
        into: UnsafeMutableRawBufferPointer(start: operation.buffer, count: operation.count), limit: operation.count)
      // What was there held nothing for the program: once more.
      if operation.result != -Int(EAGAIN) { return true }
    }
  }

  func claimLent(_ operation: IOOperation) -> Bool {
    let buffer = scratch.pool.take()
    let room = UnsafeMutableRawBufferPointer(start: buffer.base, count: LentBufferPool.largeCapacity)
    var result = endOfReading ?? decrypt(into: room, limit: buffer.capacity)
    if result == -Int(EAGAIN), let end = endOfReading { result = end }
    operation.result = result
    guard result > 0 else {
      scratch.pool.giveBack(buffer.base, capacity: buffer.capacity)
      operation.buffer = nil
      return result != -Int(EAGAIN)
    }
    let lent = scratch.pool.lend(buffer, filled: result)
    operation.buffer = lent.base
    operation.count = lent.capacity
    return true
  }

  func returnLent(_ operation: IOOperation) {
    guard let buffer = operation.buffer else { return }
    operation.buffer = nil
    scratch.pool.giveBack(buffer, capacity: operation.count)
  }

  /// Tell the read that waits.
  func serveReading() {
    guard let operation = reading else { return }
    reading = nil
    operation._withUnsafeGuaranteedRef { operation in
      if tryReading(operation) { operation.complete(operation.result) } else { reading = .passUnretained(operation) }
    }
  }

  /// What a read finds without looking for bytes; nil if it has to look.
  private var endOfReading: Int? {
    if failure != nil { return -Int(EPROTO) }
    return peerHasEnded ? 0 : nil
  }

  private var hasDecryptable: Bool { !held.isEmpty || session.pending > 0 }

  /// Decrypt what is there. Returns the number of bytes, 0 for the end, or a negated errno: EAGAIN if nothing came of
  /// it.
  private func decrypt(into memory: UnsafeMutableRawBufferPointer, limit: Int) -> Int {
    if hasDecryptable {
      let input = held
      held = []
      let count = input.withUnsafeBytes { decrypt($0, into: memory) }
      if count != -Int(EAGAIN) { return count }
    }
    guard inputMayBeThere else { return -Int(EAGAIN) }
    inputMayBeThere = false
    // Little more than there is room for, so that little has to be held.
    receiving.transferred = limit + 1024
    guard below.claimLent(receiving) else { return -Int(EAGAIN) }
    let received = receiving.result
    if received < 0 { return received }
    if received == 0 { bytes.inputHasEnded = true }
    defer { below.returnLent(receiving) }
    return decrypt(UnsafeRawBufferPointer(start: receiving.buffer, count: received), into: memory)
  }

  private func decrypt(_ input: UnsafeRawBufferPointer, into memory: UnsafeMutableRawBufferPointer) -> Int {
    var filled = 0
    withSession(input) { session throws(TLSError) in
      while filled < memory.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: memory[filled...])
        guard let count = try session.read(into: rest) else {
          peerHasEnded = true
          break
        }
        filled += count
        // Asking once more for nothing costs as much as a small record.
        if count == 0 || bytes.input.isEmpty && session.pending == 0 && !bytes.inputHasEnded { break }
      }
    }
    if filled > 0 { return filled }
    return endOfReading ?? -Int(EAGAIN)
  }
}

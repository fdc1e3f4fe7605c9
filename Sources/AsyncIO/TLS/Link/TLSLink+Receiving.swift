internal import COpenSSL
internal import SystemPackage

// From the socket to the session. Most backends say that bytes are there, the link fetches them into memory that is
// lent to it, and the session has them as its input. A backend that receives when it is asked lets the session do that,
// into the memory where it decrypts: a copy less, and no buffer of ours. The link's receive then only waits.

extension TLSLink {
  /// Receive, unless that is under way. Returns `true` if it ended at once, and was announced.
  @inline(__always)
  func receiveMore() -> Bool {
    assert(life.phase < .gone, "a link that is gone receives")
    return receiving._withUnsafeGuaranteedRef { receiving in
      guard receiving.state != .inFlight, withBackend({ $0.submit(receiving) }) else { return false }
      announce(receiving.result)
      return true
    }
  }

  /// Note the result of the link's receive.
  private func announce(_ result: Int) {
    if result >= 0 { isReadable = true } else { life.loseInput(result) }
  }

  /// Handle the end of the link's own receive.
  func received(_ result: Int) {
    if life.phase == .gone { return releaseIfIdle() }
    // The loop is closed; or the link is about to leave, and nothing waits.
    if result == -Int(Errno.canceled.rawValue) { return receiveWasCancelled() }
    announce(result)
    switch life.phase {
    case .handshaking: shakeHands()
    case .open:
      readOn()
      // It may wait for the reason why nothing can be sent.
      if life.sendError < 0 { writeOn() }
    case .lingering: discard()
    case .gone: break
    }
  }

  private func receiveWasCancelled() {
    switch life.phase {
    case .handshaking: endAll(-Int(Errno.canceled.rawValue))
    case .open: Self.take(&reader)?.complete(-Int(Errno.canceled.rawValue))
    case .lingering: endLingering()
    case .gone: break
    }
  }

  // MARK: Fetched by the link

  /// Fetch what a receive has announced, unless the session does that.
  @inline(__always)
  func fetchForSession() {
    if !receivesDirectly { fetch() }
  }

  /// Fetch what a receive has announced.
  func fetch() {
    assert(bytes.input.isEmpty, "input was fetched before the last was used up")
    isReadable = false
    receiving._withUnsafeGuaranteedRef { receiving in
      guard withBackend({ $0.claimLent(receiving) }) else { return }
      note(receiving.result)
      guard receiving.result > 0 else { return }
      bytes.input = UnsafeRawBufferPointer(start: receiving.buffer, count: receiving.result)
      inputMemory = .received
    }
  }

  /// Note what the socket gave: a number of bytes, 0 at its end, or a negated errno.
  @inline(__always)
  private func note(_ result: Int) {
    if result > 0 { return }
    if result < 0 { return life.loseInput(result) }
    bytes.inputHasEnded = true
    life.peerEnded()
  }

  /// Give back the memory of input that was used up.
  @inline(__always)
  func returnUsedInput() {
    if bytes.pointer.pointee.input_count == 0 { returnInput() }
  }

  /// Give back the memory of the input, and forget what was not used.
  @inline(__always)
  func returnInput() {
    if case .none = inputMemory { return }
    forgetInput()
  }

  private func forgetInput() {
    bytes.input = UnsafeRawBufferPointer(start: nil, count: 0)
    switch inputMemory {
    case .none: break
    case .received: receiving._withUnsafeGuaranteedRef { receiving in withBackend { $0.returnLent(receiving) } }
    case .kept(let buffer): scratch.giveBack(buffer.base, capacity: buffer.capacity)
    }
    inputMemory = .none
  }

  // MARK: Received by the session

  /// Receive for the session. Returns the number of bytes, 0 if nothing is there.
  private func receiveNow(into memory: UnsafeMutableRawBufferPointer) -> Int {
    guard isReadable else { return 0 }
    assert(!receiving.isInFlight, "a session receives beside its link")
    let result = receiving._withUnsafeGuaranteedRef { receiving in
      withBackend { $0.tryReceive(receiving.descriptor, into: memory) }
    }
    // A full buffer says that there may be more. For the rest the backend is asked.
    isReadable = result == memory.count
    if result != -Int(Errno.wouldBlock.rawValue) { note(result) }
    return max(result, 0)
  }

  /// Copy bytes of the peer, and make the copy the input.
  func keep(_ early: UnsafeRawBufferPointer) {
    assert(bytes.input.isEmpty, "input was kept before the last was used up")
    returnInput()
    let buffer = scratch.pool.keep(early)
    inputMemory = .kept(buffer)
    bytes.input = UnsafeRawBufferPointer(start: buffer.base, count: early.count)
  }

  /// Let the session send and receive while it is at work. Right because a session only works for its link.
  func setUpCallbacks() {
    let pointer = bytes.pointer
    pointer.pointee.link = Unmanaged.passUnretained(self).toOpaque()
    pointer.pointee.send = { link, record, count in
      TLSLink.at(link)._withUnsafeGuaranteedRef { $0.sendNow(UnsafeRawBufferPointer(start: record, count: count)) }
    }
    guard receivesDirectly else { return }
    pointer.pointee.receive = { link, memory, count in
      let memory = UnsafeMutableRawBufferPointer(start: memory, count: count)
      return TLSLink.at(link)._withUnsafeGuaranteedRef { $0.receiveNow(into: memory) }
    }
    pointer.pointee.keep = { link, early, count in
      TLSLink.at(link)._withUnsafeGuaranteedRef { $0.keep(UnsafeRawBufferPointer(start: early, count: count)) }
    }
  }

  private static func at(_ link: UnsafeMutableRawPointer?) -> Unmanaged<TLSLink> { .fromOpaque(link!) }
}

internal import CAsyncIO
internal import SystemPackage

// Writing: a piece is encrypted when everything before it is with the system, so that little is held here for a peer
// that does not read.

extension TLSLink {
  /// The most that is encrypted at once.
  private static var piece: Int { 64 * 1024 }

  /// Encrypt and send what can be sent. Returns `true` if the operation has ended.
  func trySending(_ operation: IOOperation) -> Bool {
    beginHandshake()
    guard isEstablished || failure != nil else { return false }
    while operation.transferred < operation.count, endOfWriting == nil {
      if !outgoing.isEmpty { return false }
      let count = min(operation.count - operation.transferred, Self.piece)
      encrypt(UnsafeRawBufferPointer(start: operation.buffer! + operation.transferred, count: count))
      operation.transferred += count
    }
    if let end = endOfWriting {
      owesSendResult = false
      operation.result = end
      return true
    }
    operation.result = operation.count
    return outgoing.isEmpty
  }

  func trySend(_ descriptor: IODescriptor, _ plain: UnsafeRawBufferPointer) -> Int {
    if let end = endOfWriting {
      owesSendResult = false
      return end
    }
    guard isEstablished else { return 0 }
    var sent = 0
    while sent < plain.count, outgoing.isEmpty, endOfWriting == nil {
      let end = min(plain.count, sent + Self.piece)
      encrypt(UnsafeRawBufferPointer(rebasing: plain[sent..<end]))
      sent = end
    }
    return sent
  }

  /// Why nothing can be written; nil if something can.
  private var endOfWriting: Int? {
    if sendResult < 0 { return sendResult }
    if failure != nil { return -Int(EPROTO) }
    return hasEnded ? -Int(EPIPE) : nil
  }

  private func encrypt(_ plain: UnsafeRawBufferPointer) {
    withSession(nil) { session throws(TLSError) in try session.write(plain) }
  }

  func sendError(of descriptor: IODescriptor) -> Int {
    owesSendResult ? sendResult : below.sendError(of: descriptor)
  }

  func takeSendError(of descriptor: IODescriptor) -> Int {
    guard owesSendResult else { return below.takeSendError(of: descriptor) }
    owesSendResult = false
    return sendResult
  }

  func hasUnsent(_ descriptor: IODescriptor) -> Bool { !outgoing.isEmpty || below.hasUnsent(descriptor) }

  /// Say goodbye after everything that was written. The connection itself stays open for what the peer still sends.
  func endWriting(_ descriptor: IODescriptor) throws(Errno) {
    guard isEstablished, failure == nil, !hasEnded else { return }
    hasEnded = true
    withSession(nil) { session throws(TLSError) in try session.end() }
  }

  /// Say goodbye if the peer can take it, and take what it has sent: a system that closes with unread input resets the
  /// connection, and the peer could lose what was written last, or the alert that says why.
  func descriptorWillClose() {
    let descriptor = sending.descriptor
    guard !descriptor.isAbortive else { return }
    if outgoing.isEmpty, writing == nil { try? endWriting(descriptor) }
    // The link's own record may be in flight.
    let rest = IOOperation(.receiveLent, on: descriptor)
    for _ in 0..<16 {
      guard below.claimLent(rest), rest.result > 0 else { return }
      below.returnLent(rest)
    }
  }

  // MARK: On the path below

  /// Send what the session has to say, after what waits already.
  func send(_ output: UnsafeRawBufferPointer) {
    guard !output.isEmpty, sendResult == 0 else { return }
    var sent = 0
    if outgoing.isEmpty {
      sent = below.trySend(sending.descriptor, output)
      if sent == output.count { return }
      if sent < 0 { return noteSendFailure(sent) }
    }
    outgoing.append(UnsafeRawBufferPointer(rebasing: output[sent...]))
    // A descriptor that is being closed takes no operation any more.
    if !sending.descriptor.isClosed { sendRest() }
  }

  private func sendRest() {
    while sending.state != .inFlight, !outgoing.isEmpty {
      let block = outgoing.next(.max)
      sending.buffer = block.baseAddress
      sending.count = block.count
      sending.transferred = 0
      sending.sequence &+= 1
      guard below.submit(sending) else { break }
      takeResult()
    }
    keep()
  }

  /// Handle the end of the link's own send.
  func sent() {
    takeResult()
    sendRest()
    serveWriting()
  }

  private func takeResult() {
    sending.buffer = nil
    guard sending.result >= 0 else { return noteSendFailure(sending.result) }
    outgoing.consume(sending.count)
  }

  private func noteSendFailure(_ result: Int) {
    outgoing.removeAll()
    guard sendResult == 0 else { return }
    sendResult = result
    owesSendResult = true
  }

  /// Tell the write that waits.
  func serveWriting() {
    guard let operation = writing, outgoing.isEmpty || sendResult < 0 else { return }
    writing = nil
    operation._withUnsafeGuaranteedRef { operation in
      if operation.kind == .send {
        if trySending(operation) { operation.complete(operation.result) } else { writing = .passUnretained(operation) }
      } else if below.submit(operation) {
        operation.state = .inFlight
        operation.complete(operation.result)
      }
    }
  }
}

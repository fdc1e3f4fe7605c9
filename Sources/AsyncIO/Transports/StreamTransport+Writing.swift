internal import CAsyncIO
internal import Logging
internal import SystemPackage

// Output: what the system takes is sent inside `write`; the rest waits and follows in order. Whatever is said to the
// protocol is said when the books are right again, because it may write more from inside the call.

extension StreamTransport {
  /// Sends the bytes, see ``WriteTransport/write(_:)-(RawSpan)``. Answers `write`.
  public func write(_ bytes: RawSpan) throws(EventLoopError) {
    guard try admitsWrite(isEmpty: bytes.isEmpty, "write") else { return }
    bytes.withUnsafeBytes { send($0) }
  }

  /// Sends several pieces as one, in one call to the system where it takes them. Answers `writelines`.
  public func writeLines(_ pieces: some Sequence<[UInt8]>) throws(EventLoopError) {
    var bytes: [UInt8] = []
    for piece in pieces { bytes += piece }
    guard try admitsWrite(isEmpty: bytes.isEmpty, "writeLines") else { return }
    bytes.withUnsafeBytes { send($0) }
  }

  /// The peer sees the end of the stream behind what was written; reading goes on. Idempotent; without effect when
  /// closing. Throws code `invalidState` while a file is being sent. Answers `write_eof`.
  public func writeEOF() throws(EventLoopError) {
    try checkThread("writeEOF")
    try refuseDuringFile("writeEOF")
    if life.endWriting(hasOutput: !outgoing.isEmpty) { sendEnd() }
  }

  /// True: ``writeEOF()`` ends one direction only. Answers `can_write_eof`.
  public var canWriteEOF: Bool { true }

  @inline(__always)
  private final func admitsWrite(isEmpty: Bool, _ operation: String) throws(EventLoopError) -> Bool {
    try checkThread(operation)
    if isSendingFile { try refuseDuringFile(operation) }
    switch life.write(isEmpty: isEmpty) {
    case .send: return true
    case .discard: return false
    case .discardLoudly:
      core.logger.warning("\(description): bytes written after the end of the connection are dropped")
      return false
    case .refuse:
      throw EventLoopError(
        .invalidState, "\(operation): the end of the stream was written already. Write before writeEOF().")
    }
  }

  private final func refuseDuringFile(_ operation: String) throws(EventLoopError) {
    guard isSendingFile else { return }
    throw EventLoopError(.invalidState, "\(operation): a file is being sent. Wait until sendfile has returned.")
  }

  // MARK: Flow control

  /// How many bytes wait to be sent. Answers `get_write_buffer_size`.
  public var writeBufferSize: Int {
    requireThread("writeBufferSize")
    return waitingBytes
  }

  /// When the protocol is asked to pause and to go on. Answers `get_write_buffer_limits`.
  public var writeBufferLimits: WriteBufferLimits {
    requireThread("writeBufferLimits")
    return flow.limits
  }

  /// Sets the limits, see ``WriteTransport/setWriteBufferLimits(high:low:)``. Answers `set_write_buffer_limits`.
  public func setWriteBufferLimits(high: Int? = nil, low: Int? = nil) throws(EventLoopError) {
    try checkThread("setWriteBufferLimits")
    let limits = try WriteBufferLimits(high: high, low: low)
    act(on: flow.setLimits(limits, waitingBytes))
  }

  /// What is not with the system. An aborted transport has nothing, whatever memory it still has.
  private final var waitingBytes: Int {
    if life.phase >= .ending { return 0 }
    return outgoing.count - (sending.state == .inFlight ? sending.transferred : 0)
  }

  // MARK: Sending

  @inline(__always)
  private final func send(_ bytes: UnsafeRawBufferPointer) {
    var sent = 0
    if outgoing.isEmpty {
      sent = core.backend.trySend(descriptor, bytes)
      if sent == bytes.count { return }
      if sent < 0 { return lose(sent, "write") }
    }
    outgoing.append(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
    // First the pause: what is handed over then ends where the protocol may go on, and that comes after the pause.
    act(on: flow.update(waitingBytes))
    sendRest()
  }

  /// Hands over what waits, until it has to wait for the system or nothing is left. While the protocol is paused the
  /// first part ends where it may go on.
  final func sendRest() {
    while sending.state != .inFlight, !outgoing.isEmpty, life.phase < .ending {
      let bytes = outgoing.next(flow.bytesToResume(outgoing.count))
      sending.buffer = bytes.baseAddress
      sending.count = bytes.count
      sending.transferred = 0
      sending.sequence &+= 1
      guard core.backend.submit(sending) else { break }
      takeResult()
    }
    hold()
  }

  final func sent() {
    takeResult()
    sendRest()
  }

  /// A send has ended: the books first, then the protocol, then what waited for the last byte.
  private final func takeResult() {
    sending.buffer = nil
    guard life.phase < .ending else { return outgoing.removeAll() }
    guard sending.result >= 0 else { return lose(sending.result, "write") }
    outgoing.consume(sending.count)
    act(on: flow.update(outgoing.count))
    guard outgoing.isEmpty else { return }
    switch life.flushed() {
    case .nothing: break
    case .sendEnd: sendEnd()
    case .finish: finish(nil)
    }
    drained?.resumeAll()
  }

  private final func sendEnd() {
    do {
      try core.backend.endWriting(descriptor)
    } catch .socketNotConnected {
      // The connection is gone already: the peer has seen its end.
    } catch {
      lose(-Int(error.rawValue), "writeEOF")
    }
  }
}

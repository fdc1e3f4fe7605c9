internal import CAsyncIO
internal import SystemPackage

// Output, over the mechanism that sockets and pipes share.

extension StreamTransport: StreamOutput {
  /// Send the bytes, see ``WriteTransport/write(_:)-(RawSpan)``. Answers `write`.
  public func write(_ bytes: RawSpan) throws(EventLoopError) {
    try checkThread("write")
    try refuseWhileBusy("write")
    guard try admitsWrite(isEmpty: bytes.isEmpty, "write") else { return }
    bytes.withUnsafeBytes { send($0) }
  }

  /// End the stream after what was written; reading goes on. Idempotent; has no effect when closing. Throws code
  /// `invalidState` while a file is being sent. Answers `write_eof`.
  public func writeEOF() throws(EventLoopError) {
    try checkThread("writeEOF")
    try refuseWhileBusy("writeEOF")
    if life.endWriting(hasOutput: !outgoing.isEmpty) { sendEnd() }
  }

  @inline(__always)
  private final func refuseWhileBusy(_ operation: String) throws(EventLoopError) {
    guard isSendingFile || isShakingHands else { return }
    let (what, call) = isSendingFile ? ("a file is being sent", "sendfile") : ("TLS is being started", "startTLS")
    throw EventLoopError(.invalidState, "\(operation): \(what). Wait until \(call) has returned.")
  }

  // MARK: Sending

  @inline(__always)
  final func trySend(_ bytes: UnsafeRawBufferPointer) -> Int { core.trySend(descriptor, bytes) }

  final func drain() {
    switch life.flushed(isSettled: isSettled) {
    case .nothing: break
    case .sendEnd: sendEnd()
    case .settle: awaitResult()
    case .finish: finish(nil)
    }
    drained?.resumeAll()
  }

  /// True if what the backend has taken is sent, as far as it goes. While a file has the record nothing else was taken.
  final var isSettled: Bool { fileHasRecord || !core.hasUnsent(descriptor) }

  /// Wait for the result after a close with bytes that the backend has taken and not sent: the end is told when their
  /// fate is known.
  final func awaitResult() {
    sending.kind = .flush
    sending.sequence &+= 1
    if core.submit(sending) { settled() }
    hold()
  }

  final func settled() {
    sending.kind = .send
    guard life.phase == .settling, sending.result != -Int(ECANCELED) else { return }
    if sending.result < 0 { lose(sending.result, "write") } else { drain() }
  }

  private final func sendEnd() {
    do {
      try core.endWriting(descriptor)
    } catch .socketNotConnected {
      // The connection is already gone: the peer has seen its end.
    } catch {
      lose(-Int(error.rawValue), "writeEOF")
    }
  }
}

internal import CAsyncIO

// Sends for a caller that must know when its bytes are with the system, because it keeps a promise at that moment. Each
// costs a system call, so only a caller that asks for it pays. The traps:
//
// - Bytes that were taken earlier go first. If their send has not reached the system, it is withdrawn and made here.
// - If the system still works on that send, the socket has no room for more bytes, or the send would have ended at
//   once. The caller waits then.
// - Or that send has ended, and its event waits behind one that is being delivered. Then the bytes have gone, and their
//   block goes with the event.

extension ProactorBackend {
  package func sendTaken(_ descriptor: IODescriptor) -> Bool {
    guard let stream = descriptor.stream, !stream.pointee.outbox.isEmpty else { return true }
    guard isStarted, stream.pointee.writing == nil, !stream.pointee.endsWriting else { return false }
    if stream.pointee.isSending {
      if stream.pointee.sending.in_flight == 0 { return sendBehindFirst(stream) }
      guard casyncio_port_withdraw(port, stream.sendingRecord) != 0 else { return false }
      stream.pointee.isSending = false
      stream.pointee.outbox.advance(Int(stream.pointee.sending.transferred))
    }
    let result = sendNow(stream)
    if result < 0 && result != -Int(EAGAIN) {
      loseOutbox(stream, result)
    } else if !stream.pointee.outbox.isEmpty {
      startWriting(stream)
      return false
    }
    return true
  }

  /// Send what is behind a block that has gone.
  private func sendBehindFirst(_ stream: ProactorStream.Pointer) -> Bool {
    guard stream.pointee.sending.transferred == stream.pointee.sending.count else { return false }
    let bytes = stream.pointee.outbox.unsentNext
    guard !bytes.isEmpty else { return true }
    let n = sendBytes(
      stream.pointee.descriptor._withUnsafeGuaranteedRef { $0.fileDescriptor }, bytes.baseAddress, bytes.count)
    // The send that begins with the event tells of an error.
    if n > 0 { stream.pointee.outbox.advanceNext(n, &blocks) }
    return n == bytes.count
  }

  package func trySendNow(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int {
    guard sendTaken(descriptor) else { return 0 }
    let stream = self.stream(of: descriptor)
    if stream.pointee.sendError != 0 { return stream.pointee.takeSendError() }
    guard isStarted, stream.pointee.writing == nil, !bytes.isEmpty else { return 0 }
    let n = sendBytes(descriptor.fileDescriptor, bytes.baseAddress, bytes.count)
    return n == -Int(EAGAIN) ? 0 : n
  }
}

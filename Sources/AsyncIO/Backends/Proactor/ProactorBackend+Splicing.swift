internal import CAsyncIO

// Bytes that the system moves from socket to socket. The ring has an operation for that, which always goes to a thread
// of the kernel, and costs more than the copy that it spares. So the ring waits, which needs no call of its own, and
// the calls are made here. The traps:
//
// - A receive may be with the system that nobody has asked for. It has to end, and what it brought goes first.
// - What was taken to send goes first as well.
// - The end of a stream may have to wait for the result of bytes on their way, see `+Ends`.

extension ProactorBackend {
  /// Readiness, without a receive that would take the bytes.
  package var waitToSplice: IOOperation.Kind? { casyncio_can_splice() != 0 ? .ready : nil }

  package func trySplice(_ descriptor: IODescriptor, into pipe: Int32, atMost count: Int) -> Int {
    let stream = self.stream(of: descriptor)
    guard endReceiving(descriptor) else { return -Int(EALREADY) }
    let hasInput = !stream.pointee.chunks.isEmpty || stream.pointee.end != Int.max || stream.pointee.holdsEnd
    if hasInput { return -Int(EBUSY) }
    let n = casyncio_splice(descriptor.fileDescriptor, pipe, count)
    guard n == 0, isUnsettled(stream) else { return n }
    holdEnd(stream)
    return -Int(EBUSY)
  }

  package func trySplice(from pipe: Int32, _ count: Int, to descriptor: IODescriptor) -> Int {
    let stream = self.stream(of: descriptor)
    if stream.pointee.sendError != 0 { return stream.pointee.takeSendError() }
    guard !stream.pointee.isSending, stream.pointee.outbox.isEmpty else { return -Int(EBUSY) }
    return casyncio_splice(pipe, descriptor.fileDescriptor, count)
  }
}

@_spi(Channels) internal import AsyncIO
internal import NIOCore

// Input: a few buffers at a time, then `channelReadComplete`, then the question for more. A read that filled its buffer
// is followed by another one; one that did not has taken what was there.

extension StreamChannel {
  private enum Outcome: Equatable { case nothing, some, end, failed }

  func takeInput() {
    loop.assertInEventLoop()
    guard life.isActive, readPending else { return }
    _ = readable()
    guard life.isOpen, !isInputClosed else { return }
    if readPending { socket.awaitInput() } else { socket.stopAwaitingInput() }
  }

  private func readable() -> Outcome {
    let outcome: Outcome
    do {
      outcome = try readFromSocket() ? .some : .nothing
    } catch {
      return readFailed(error)
    }
    if outcome == .some && life.isActive { pipeline.syncOperations.fireChannelReadComplete() }
    readIfNeeded0()
    return outcome
  }

  /// Read what is there, within bounds. Returns `false` if nothing was there after all.
  private func readFromSocket() throws -> Bool {
    var hasRead = false
    for _ in 0..<maxMessagesPerRead {
      guard life.isOpen, !isInputClosed else { throw ChannelError.eof }
      let (buffer, count) = receiveBuffers.buffer(allocator: allocator) { buffer in
        var count = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 0) { memory in
          count = socket.takeInput(into: memory)
          return max(count, 0)
        }
        return count
      }
      if count == -Int(ErrorNumber.again) { return hasRead }
      guard count >= 0 else { throw NIOCore.IOError(result: count, "read") }
      guard count > 0 else { throw ChannelError.eof }
      receiveBuffers.record(actualReadBytes: count)
      readPending = false
      hasRead = true
      pipeline.syncOperations.fireChannelRead(NIOAny(buffer))
      if buffer.writableBytes > 0 { return true }
    }
    return hasRead
  }

  private func readFailed(_ error: any Error) -> Outcome {
    guard error as? ChannelError == .eof else {
      pipeline.syncOperations.fireErrorCaught(error)
      if life.isOpen { close0(error: error, mode: .all, promise: nil) }
      return .failed
    }
    guard life.isActive else { return .end }
    pipeline.syncOperations.fireChannelReadComplete()
    guard life.isOpen else { return .end }
    if allowsHalfClosure {
      closeInput(error, nil)
      readPending = false
    } else {
      close0(error: error, mode: .all, promise: nil)
    }
    return .end
  }

  /// Read what has come before the channel closes after a failed write: the peer may have said why.
  func drainInput() {
    guard life.isActive, !isInputClosed, readIfNeeded0() else { return }
    var hasRead = false
    while life.isActive, let some = try? readFromSocket(), some { hasRead = true }
    if hasRead && life.isActive { pipeline.syncOperations.fireChannelReadComplete() }
  }
}

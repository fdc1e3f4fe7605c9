@_spi(Channels) internal import AsyncIO
internal import NIOCore

// Input: a few buffers at a time, then `channelReadComplete`, then the question for more. A read that filled its buffer
// is followed by another one; one that did not has taken what was there.

extension StreamChannel {
  func takeInput() {
    loop.assertInEventLoop()
    if isEnding { return takeInputToItsEnd() }
    guard life.isActive, readPending else { return }
    readable()
    guard life.isOpen, !isInputClosed else { return }
    if readPending { socket.awaitInput() } else { socket.stopAwaitingInput() }
  }

  /// Read once. Returns `false` if there was nothing, or no more will come.
  @discardableResult
  private func readable() -> Bool {
    var hasRead = false
    do {
      hasRead = try readFromSocket()
      if hasRead, life.isActive { pipeline.syncOperations.fireChannelReadComplete() }
    } catch {
      readFailed(error)
      return false
    }
    readIfNeeded0()
    return hasRead
  }

  /// Notice that the peer has gone, though nobody reads.
  func watchEnd() {
    guard life.isActive, !isInputClosed, socket.awaitEnd() else { return }
    loop.execute { self.takeInputToItsEnd() }
  }

  /// Read everything that the peer has sent before it ended, asked for or not: the end is behind it. A backend that has
  /// bytes on their way out may hold it back until it knows whether they arrive; then it comes as input.
  func takeInputToItsEnd() {
    loop.assertInEventLoop()
    isEnding = true
    while life.isActive, !isInputClosed, readable() {}
  }

  /// Read a few buffers of what has come. Returns `false` if nothing had.
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

  func readFailed(_ error: any Error) {
    guard error as? ChannelError == .eof else {
      pipeline.syncOperations.fireErrorCaught(error)
      if life.isOpen { close0(error: error, mode: .all, promise: nil) }
      return
    }
    guard life.isActive else { return }
    pipeline.syncOperations.fireChannelReadComplete()
    guard life.isOpen else { return }
    if allowsHalfClosure {
      closeInput(error, nil)
      readPending = false
    } else {
      close0(error: error, mode: .all, promise: nil)
    }
  }

  /// Read what has come before the channel closes after a failed write: the peer may have said why.
  func drainInput() {
    guard life.isActive, !isInputClosed, readIfNeeded0() else { return }
    _ = readToFailure()
  }

  /// Read what has come, asked for or not. Returns the error that has ended the input; nil if it has no end or a good
  /// one.
  func readToFailure() -> (any Error)? {
    var (hasRead, failure): (Bool, (any Error)?) = (false, nil)
    do {
      while life.isActive, try readFromSocket() { hasRead = true }
    } catch {
      if error is NIOCore.IOError { failure = error }
    }
    if hasRead && life.isActive { pipeline.syncOperations.fireChannelReadComplete() }
    return failure
  }
}

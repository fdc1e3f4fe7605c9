@_spi(Channels) internal import AsyncIO
internal import NIOCore

// Output. Small buffers of a flush are joined: a copy of some kilobytes costs less than a system call with a list. On
// io_uring they go with the next wait, without a call of their own, unless a promise depends on them. What is large
// goes as it is.

extension StreamChannel {
  /// As much is joined for one send.
  private static var joinedSize: Int { 64 * 1024 }

  func addWrite(_ data: NIOAny, _ promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    guard life.isOpen else { return fail(promise, ChannelError.ioOnClosedChannel) }
    if isOutputClosed { return fail(promise, ChannelError.outputClosed) }
    guard let data = tryUnwrapData(data, as: IOData.self) else {
      return fail(promise, ChannelError.operationUnsupported)
    }
    if writes.add(data, promise) { tellWritable(false) }
  }

  func flush() {
    loop.assertInEventLoop()
    guard life.isOpen else { return }
    writes.flush()
    if life.isActive && !awaitsOutput { sendFlushed() }
  }

  /// Send what was flushed, until the system takes no more.
  func sendFlushed() {
    // What a callback flushes is sent by the loop that called it: also what is flushed on the word that the channel
    // takes more, which is when most is written.
    guard !isFlushing, life.isActive else { return }
    isFlushing = true
    defer { isFlushing = false }
    var spins = writeSpinCount
    repeat {
      guard sendFlushed(&spins) else { return }
      if writes.becameWritable() { tellWritable(true) }
    } while life.isActive && writes.isFlushed && !awaitsOutput && !fileBlock.isComing
    if life.isActive { endOutputIfDue() }
  }

  /// Send what was flushed. Returns `false` if the channel has closed.
  private func sendFlushed(_ spins: inout UInt) -> Bool {
    while life.isActive, writes.isFlushed, !awaitsOutput, !fileBlock.isComing {
      // With what went before, a write of nothing may be done.
      if writes.promiseCount > 0 && !socket.sendTaken() {
        waitForOutput()
        break
      }
      let (sent, wanted) = sendNext()
      guard sent >= 0 else {
        writeFailed(sent)
        return false
      }
      account(sent)
      if !life.isActive { return false }
      if sent == wanted || fileBlock.isComing { continue }
      if sent == 0 || spins == 0 {
        waitForOutput()
      } else {
        spins -= 1
      }
    }
    return life.isActive
  }

  /// Send the first buffers, or a piece of the file that is first. Returns how much was sent, or a negated errno, and
  /// how much there was to send.
  private func sendNext() -> (sent: Int, wanted: Int) {
    switch writes.first {
    case nil: return (0, 0)
    case .fileRegion(let region): return sendFile(region)
    case .byteBuffer(let first):
      if first.readableBytes >= Self.joinedSize || first.readableBytes == writes.byteCount {
        return first.withUnsafeReadableBytes { ($0.isEmpty ? 0 : send($0), $0.count) }
      }
      return sendJoined()
    }
  }

  /// What promises depend on is sent with a call of the system, so that they are exact. The rest goes with the loop's
  /// next wait where a backend does that, even if the channel is closed before.
  private func send(_ bytes: UnsafeRawBufferPointer) -> Int { socket.send(bytes, exactly: writes.promiseCount > 0) }

  func waitForOutput() {
    awaitsOutput = true
    socket.awaitOutput()
  }

  private func sendJoined() -> (sent: Int, wanted: Int) {
    withUnsafeTemporaryAllocation(byteCount: Self.joinedSize, alignment: 16) { memory in
      var count = 0
      writes.forEachBuffer { buffer in
        let size = buffer.readableBytes
        guard count + size <= memory.count else { return false }
        buffer.withUnsafeReadableBytes {
          UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: $0)
        }
        count += size
        return true
      }
      guard count > 0 else { return (0, 0) }
      return (send(UnsafeRawBufferPointer(rebasing: memory[..<count])), count)
    }
  }

  /// Note what was sent, and keep the promises of it.
  private func account(_ sent: Int) {
    var promises: [EventLoopPromise<Void>] = []
    writes.sent(sent, &promises)
    for promise in promises { promise.succeed(()) }
  }

  /// Close after a failed write, once what has come was read.
  func writeFailed(_ result: Int) {
    // The system reports on both directions at once, and the input's part may say why.
    if isAnswering, socket is ChannelSocket {
      awaitsOutput = true
      return loop.execute { self.peerIsLost(NIOCore.IOError(result: result, "write")) }
    }
    drainInput()
    if life.isOpen { close0(error: NIOCore.IOError(result: result, "write"), mode: .all, promise: nil) }
  }

  /// Close after a write that failed when the system had reported on the output. As with NIO, that is a failure of the
  /// connection, which the handlers are told of.
  private func peerIsLost(_ error: NIOCore.IOError) {
    guard life.isOpen else { return }
    if isInputClosed { return close0(error: error, mode: .all, promise: nil) }
    let cause = readToFailure()
    if life.isOpen { readFailed(cause ?? error) }
  }
}

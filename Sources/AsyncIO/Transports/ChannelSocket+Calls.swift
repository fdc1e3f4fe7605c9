internal import CAsyncIO
internal import SystemPackage

// What a channel asks of its socket, and is answered at once.

@_spi(Channels)
extension ChannelSocket {
  // MARK: Listening

  /// Let clients connect; a second call changes the backlog. The file of a Unix socket goes with the socket, unless
  /// that was taken. Throws ``IOError``.
  public func listen(backlog: Int32) throws(IOError) {
    descriptor.isListening = true
    descriptor.freesAddress = true
    if !descriptor.isLent, sockets.hasFileSystem, let localAddress, localAddress.isUnix {
      file = UnixSocketFile(boundTo: localAddress)
    }
    try check("listen") { sockets.listen($0, backlog) }
  }

  // MARK: Output

  /// Send what is taken now. Returns how many bytes, 0 if none are taken, or a negated errno. `exactly`: what counts as
  /// sent is with the system; otherwise a backend may send it with the next wait, even after a close.
  public func send(_ bytes: UnsafeRawBufferPointer, exactly: Bool) -> Int {
    core.assertLoopThread()
    guard !descriptor.isClosed else { return -Int(EBADF) }
    guard sending.state != .inFlight else { return 0 }
    var n = exactly ? 0 : core.backend.trySend(descriptor, bytes)
    // Where a backend has taken as much as it takes, the system may still have room.
    if exactly || n == 0 && core.backend.hasUnsent(descriptor) { n = core.backend.trySendNow(descriptor, bytes) }
    return n == -Int(EAGAIN) ? 0 : n
  }

  /// Give to the system what was taken and is not with it yet. Returns `false` if it has no room for all: then
  /// ``awaitOutput()`` waits until it has taken all.
  public func sendTaken() -> Bool {
    core.assertLoopThread()
    guard !descriptor.isClosed else { return true }
    return sending.state != .inFlight && core.backend.sendTaken(descriptor)
  }

  /// Send bytes of a file. Returns how many, 0 if the system takes none now, `-ENOSYS` if the program has to read them
  /// itself, `-EIO` if the file ends before the offset, or another negated errno.
  public func sendFile(_ file: Int32, from offset: Int64, count: Int) -> Int {
    guard !descriptor.isClosed else { return -Int(EBADF) }
    guard offset >= 0, count >= 0 else { return -Int(EINVAL) }
    guard sending.state != .inFlight, core.backend.sendTaken(descriptor) else { return 0 }
    let n = sockets.sendFile(descriptor.fileDescriptor, file, offset, count)
    if n == 0 && count > 0 { return -Int(EIO) }
    return n == -Int64(EAGAIN) ? 0 : Int(n)
  }

  /// Wait until the system takes more. Idempotent.
  public func awaitOutput() {
    core.assertLoopThread()
    guard !descriptor.isClosed, sending.state != .inFlight else { return }
    if submit(sending, .writable) { core.completeNextTurn(sending) }
    hold()
  }

  /// Look for the end of the peer's stream even while nobody waits for input: the owner is told once, by
  /// ``ChannelSocketOwner/peerHasEnded()``. Input that came before is still there to take; behind much of it the end
  /// may be overlooked until it is taken. Idempotent. Returns `true` if the end has come already.
  public func awaitEnd() -> Bool {
    core.assertLoopThread()
    guard !watchesEnd, !descriptor.isClosed else { return false }
    watchesEnd = true
    descriptor.endObserver = EndRelay(self)
    guard core.backend.watchEnd(of: descriptor) else { return false }
    descriptor.endObserver = nil
    return true
  }

  /// Look for a failure after the end of the input, which was taken: the peer may still reset the connection. The
  /// owner is told as of an end. Returns `true` if it has come already.
  public func awaitFailure() -> Bool {
    core.assertLoopThread()
    guard !descriptor.isClosed, !descriptor.knowsEnd else { return false }
    descriptor.knowsEnd = true
    descriptor.endObserver = EndRelay(self)
    return core.backend.watchEnd(of: descriptor)
  }

  func peerEnded() { owner?.peerHasEnded() }

  /// End the stream after what was sent. Throws ``IOError``.
  public func endWriting() throws(IOError) {
    guard !descriptor.isClosed else { throw .closedHere("shutdown", "socket") }
    do throws(Errno) {
      try core.backend.endWriting(descriptor)
    } catch {
      throw IOError(error, "shutdown", "descriptor \(descriptor.fileDescriptor)")
    }
  }

  /// Receive nothing more: the peer's bytes are refused. Throws ``IOError``.
  public func endReading() throws(IOError) { try check("shutdown") { sockets.shutdown($0, Int32(SHUT_RD)) } }
}

@_spi(Channels)
extension BaseEventLoop {
  /// True in the thread that runs the loop, while it runs.
  public final var isInThisThread: Bool { isRunningInThisThread }

  /// A number for the calling thread, which no other thread of the process has while it lives.
  public static var threadNumber: Int64 { casyncio_thread_number() }

  /// Call a body when the loop closes, in the thread that closes it, while descriptors can still be closed; instead of
  /// the body of an earlier call. Loop thread.
  public final func whenItCloses(_ body: @escaping () -> Void) {
    assertLoopThread()
    residents[ObjectIdentifier(EndOfLoop.self)] = EndOfLoop(body)
  }

  /// Run the loop in a thread of its own until it is stopped, and close it, even if an error ends the run. Throws
  /// ``IOError`` if the system has no thread left. The body is called at the end, in that thread, with the error.
  public final func runInThread(_ ended: @escaping @Sendable ((any Error)?) -> Void) throws(IOError) {
    do throws(Errno) {
      try Thread.detach(name: "asyncio loop") { [self] in
        let run = Result { try runForever() }
        let closing = Result { try close() }
        let result = run.flatMap { closing }
        if case .failure(let error) = result { ended(error) } else { ended(nil) }
      }
    } catch {
      throw IOError.noThread(error, for: "the run of a loop")
    }
  }
}

/// Tells the owner of channels of the end of their loop. Right as unchecked because a resident is for the thread of its
/// loop, or for the one that closes it.
private final class EndOfLoop: LoopResident, @unchecked Sendable {
  private let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
  override func loopDidClose() { body() }
}

public import SystemPackage

extension EventLoop {
  /// Send a file, or a part of one, over a transport, after what was written before, by the system itself where it can
  /// (sendfile(2)). Answers `loop.sendfile`.
  ///
  /// Waits until the transport has sent what it has, pauses its reading, and refuses writes meanwhile with code
  /// `invalidState`. The file's position is then at the end of what was sent, even if this throws. If the transport is
  /// closed or lost meanwhile, this throws an ``IOError``.
  ///
  /// - Parameters:
  ///   - transport: one of this loop.
  ///   - file: stays the caller's, open until this returns.
  ///   - offset: where to begin, in bytes.
  ///   - count: how many bytes; nil is everything to the end of the file.
  ///   - fallback: false throws code `notOffered` if the system cannot send the file, instead of reading it.
  /// - Returns: how many bytes were sent; fewer than `count` if the file ends first.
  /// - Throws: code `invalidArgument` for a `count` below 1, then for a negative offset; `wrongThread` outside of the
  ///   loop's thread, `foreignLoop` for a transport of another loop, `invalidState` for one that is closing or has
  ///   written its end, `busy` while it sends another file; ``IOError``, `CancellationError`.
  @discardableResult
  public func sendfile(
    _ transport: StreamTransport, _ file: FileDescriptor, offset: Int64 = 0, count: Int64? = nil,
    fallback: Bool = true
  ) async throws -> Int64 {
    try await checkpoint()
    let range = try FileRange(file, offset: offset, count: count, "sendfile")
    let core = try coreOfThisThread(for: "sendfile")
    guard transport.core === core else {
      throw EventLoopError(.foreignLoop, "sendfile: the transport belongs to another event loop.")
    }
    try transport.beginFile()
    let wasPaused = transport.life.isPaused
    transport.pauseReading()
    defer {
      transport.isSendingFile = false
      if !wasPaused { transport.resumeReading() }
    }
    try await transport.waitUntilDrained("sendfile")
    // Until here the record belongs to what was written before, which may be in flight; nothing else may touch it.
    transport.fileHasRecord = true
    defer { transport.giveRecordBack() }
    var transfer = SendFile(range, to: OperationSink(transport.sending, "sendfile"), "sendfile")
    return try await transfer.run(fallback: fallback)
  }
}

extension StreamTransport {
  fileprivate final func beginFile() throws(EventLoopError) {
    if life.isClosing { throw EventLoopError(.invalidState, "sendfile: the transport is closing.") }
    if life.endsWriting {
      throw EventLoopError(
        .invalidState, "sendfile: the end of the stream has already been written. Send the file before writeEOF().")
    }
    if isSendingFile {
      throw EventLoopError(.busy, "sendfile: the transport sends another file. Wait until that sendfile has returned.")
    }
    isSendingFile = true
  }

  /// Give the record back as every write expects to find it.
  fileprivate final func giveRecordBack() {
    fileHasRecord = false
    sending.kind = .send
    sending.buffer = nil
    hold()
  }

  /// Wait until everything that was written is with the backend.
  final func waitUntilDrained(_ operation: String) async throws {
    if !outgoing.isEmpty {
      let waiters = LoopWaiters()
      drained = waiters
      await waiters.wait(on: core) { outgoing.isEmpty }
      drained = nil
      if core.isClosed { throw EventLoopError.closed(operation) }
      try Task.checkCancellation()
    }
    guard !life.isClosing else {
      throw IOError(.canceled, operation, "descriptor \(descriptor.fileDescriptor)")
    }
  }
}

extension StreamConnection {
  /// Write all the bytes; returns when the system has taken the last one, so a peer that does not read makes the writer
  /// wait. Answers `write` and `drain` in one.
  ///
  /// Throws ``IOError`` (`.brokenPipe` or `.connectionReset` if the peer is gone) or `CancellationError`; some of the
  /// bytes may then have been sent.
  public func write(_ bytes: RawSpan) async throws {
    try claimWriter()
    defer { releaseWriter() }
    // Right because the caller lends the bytes until this call returns, and it returns with the operation's end.
    let memory = bytes.withUnsafeBytes { $0 }
    guard memory.count > 0 else { return try await checkpointApart() }
    let operation = sending
    operation.buffer = UnsafeMutableRawPointer(mutating: memory.baseAddress)
    operation.count = memory.count
    operation.transferred = 0
    await core.complete(operation)
    operation.buffer = nil
    guard operation.result >= 0 else { throw failure(operation.result, "write") }
  }

  /// Wait until there is room (`writable`), or what was sent is with the system (`flush`). The caller holds the
  /// writer's claim, and makes the record one that sends again.
  func waitToSend(_ kind: IOOperation.Kind, _ operation: String) async throws {
    sending.kind = kind
    await core.complete(sending)
    guard sending.result >= 0 else { throw failure(sending.result, operation) }
  }
}

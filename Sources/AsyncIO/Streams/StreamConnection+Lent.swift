internal import CAsyncIO

// Lent receiving: the bytes are in a buffer of the loop, which goes back when the closure returns; an idle connection
// has none. The span cannot leave the closure (the compiler refuses), and stays valid across suspensions inside it.

extension StreamConnection {
  /// Call the body with each chunk of bytes as it arrives, until the peer ends its stream. The next chunk is not
  /// received before the body returns: a body that waits for `write` makes the peer wait. ``serveChunks(_:)`` is for
  /// handlers that never wait.
  ///
  /// Throws what the body throws, `CancellationError`, or an ``IOError``: a reset is an error, an end is not.
  public func forEachChunk(_ body: (RawSpan) async throws -> Void) async throws {
    try claimReader()
    defer { releaseReader() }
    try checkOpen("read")
    if !leftover.isEmpty { try await withLeftover(body) }
    let operation = receiving
    while true {
      operation.kind = .receiveLent
      switch core.begin(operation) {
      case .ended: break
      // This spelling of withUnsafeContinuation does not hop to the caller's executor, where it already is.
      case .waitingOwned: await _unsafeInheritExecutor_withUnsafeContinuation { operation.park($0) }
      case .waiting: await core.completeCancellably(operation)
      case .othersFirst: await core.completeInNextTurn(operation)
      }
      guard core.isRunningInThisThread else {
        try await forEachChunkElsewhere(body)
        return
      }
      guard operation.result >= 0 else { throw failure(operation.result, "read") }
      // Closed between the report that bytes are there and this task's turn to fetch them.
      guard !descriptor.isClosed else { throw failure(-Int(ECANCELED), "read") }
      prefetchWriting()
      guard core.claimLent(operation) else { continue }
      let n = operation.result
      if n <= 0 {
        if n == 0 { return try checkEnd() }
        throw failure(n, "read")
      }
      operation.assertLends()
      do {
        // Right because the buffer is this operation's until it is returned below.
        try await body(UnsafeRawBufferPointer(start: operation.buffer, count: n).bytes)
      } catch {
        operation.assertReturns()
        core.returnLent(operation)
        throw error
      }
      operation.assertReturns()
      core.returnLent(operation)
    }
  }

  // Not inlined, like the next one: the frame of a task that waits for its next chunk stays allocated, and is memory of
  // every idle connection.
  @inline(never)
  private func withLeftover(_ body: (RawSpan) async throws -> Void) async throws {
    try checkCancellation()
    let bytes = leftover.take(leftover.count)
    try await body(bytes.span.bytes)
  }

  /// Prefetch what the body's `write` will touch, while the system fetches the bytes.
  @inline(__always)
  private func prefetchWriting() {
    let operation = Unmanaged.passUnretained(sending).toOpaque()
    casyncio_prefetch(operation)
    casyncio_prefetch(operation + 64)
    casyncio_prefetch(Unmanaged.passUnretained(self).toOpaque() + 64)
  }

  /// Do the same for a task that does not run on the connection's loop: with a buffer of its own instead of a lent one.
  @inline(never)
  private func forEachChunkElsewhere(_ body: (RawSpan) async throws -> Void) async throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: LentBufferPool.ownCapacity, alignment: 16)
    defer { memory.deallocate() }
    if receiving.result < 0 { throw failure(receiving.result, "read") }
    while true {
      let n = try await receive(memory.baseAddress!, memory.count)
      if n == 0 { return }
      try await body(UnsafeRawBufferPointer(rebasing: memory[..<n]).bytes)
    }
  }

  /// Call the body with the next chunk of bytes and return what it returns; nil at the end of the stream.
  public func withNextChunk<Result>(_ body: (RawSpan) async throws -> Result) async throws -> Result? {
    try claimReader()
    defer { releaseReader() }
    try checkOpen("read")
    if !leftover.isEmpty {
      try await checkpoint()
      let bytes = leftover.take(leftover.count)
      return try await body(bytes.span.bytes)
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 * 1024, alignment: 16)
    defer { memory.deallocate() }
    let n = try await receive(memory.baseAddress!, memory.count)
    if n == 0 { return nil }
    return try await body(UnsafeRawBufferPointer(rebasing: memory[..<n]).bytes)
  }
}

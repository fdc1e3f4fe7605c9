/// A writer that several tasks share: what they write is collected and leaves in the order in which they wrote it,
/// each write in one piece. Answers `StreamWriter.write` and `drain`, apart from each other.
///
/// ```swift
/// let writer = BufferedWriter(connection)
/// try await writer.write("PING\n")  // taken at once
/// try await writer.write("PING\n")
/// try await writer.flush()  // both are with the system, by one call to it
/// ```
/// Everything that the tasks of one turn write leaves in one system call, in the next turn; nobody has to flush for
/// that. While the system takes one batch, the next one is collected. A write returns when its bytes are collected, and
/// waits, in order, while more than the limit would then be. A write that is cancelled while it waits has written
/// nothing.
///
/// If the connection fails, every later write throws that error, and so do the writes and flushes that wait. A write
/// may have returned for bytes that are lost then; `flush()` and `close()` tell.
///
/// While something is collected or on its way, the connection must not be written to by other means: one of the two
/// fails with code `busy`. Methods may be called from any task in any thread.
public final class BufferedWriter: ByteSink, Sendable {
  private let connection: StreamConnection
  private let state: Lock<WriteBuffer>

  /// Create a writer for a connection.
  ///
  /// - Parameters:
  ///   - connection: is written to, and closed, by this writer only.
  ///   - limit: the most bytes that are collected and on their way. A single write may be longer: it then waits until
  ///     there is nothing else. With zero or less each write waits for the one before.
  public init(_ connection: StreamConnection, limit: Int = 64 * 1024) {
    self.connection = connection
    state = Lock(WriteBuffer(limit: limit))
  }

  /// Write all the bytes; returns when they are collected, and the caller may then use its memory again. Waits while
  /// the limit is reached.
  ///
  /// Throws the error of an earlier write that failed; ``IOError`` `.badFileDescriptor` after `close()`;
  /// `CancellationError`, having written nothing.
  public func write(_ bytes: RawSpan) async throws {
    try await checkpoint()
    // Right because the caller lends the bytes until this call returns, and by then the wait has been taken back.
    let lent = bytes.withUnsafeBytes { LentBytes(memory: $0) }
    let id = state.withLock { $0.numbers.next() }
    try await waitCancellably(
      id, cancelled: .failure(CancellationError()),
      enter: { continuation in
        let (admission, begins) = self.state.withLock { $0.enterWriter(id, continuation, lent) }
        if begins { self.startSending() }
        return admission
      }, leave: { id in self.state.withLock { $0.leaveWriter(id) } }
    ).get()
  }

  /// Wait until the system has taken everything that was written before. Throws as ``write(_:)-(RawSpan)``; a
  /// cancelled flush leaves what is collected on its way.
  public func flush() async throws {
    try await checkpoint()
    let target = state.withLock { $0.collected }
    var isReached = false
    while !isReached {
      let id = state.withLock { $0.numbers.next() }
      isReached = try await waitCancellably(
        id, cancelled: .failure(CancellationError()),
        enter: { continuation in self.state.withLock { $0.enterFlusher(id, continuation, target) } },
        leave: { id in self.state.withLock { $0.leaveFlusher(id) } }
      ).get()
    }
  }

  /// Flush, and close the connection, even if this throws. Writes that wait, and later ones, are refused.
  ///
  /// Throws what ``flush()`` throws. In a cancelled task, and if the task is cancelled while it flushes, the connection
  /// is closed at once and the rest is dropped; ``withCancellationShield(atMost:_:)`` prevents that.
  public func close() async throws {
    defer { connection.close() }
    state.withLock { $0.refuse(connection.closedHere("write")) }.perform()
    try await flush()
  }

  // MARK: Sending

  private func startSending() {
    _ = connection.core.startTask { [self] in await send() }
  }

  /// Send batches until nothing is left. One task at a time.
  private func send() async {
    // The other tasks of this turn write first. A closed loop has no turns.
    if connection.core.isRunningInThisThread { await connection.core.letOthersIn() }
    while let batch = state.withLock({ $0.nextBatch() }) {
      do {
        try await connection.write(batch.span.bytes)
        state.withLock { $0.sent(batch) }.perform()
      } catch {
        state.withLock { $0.failed(error) }.perform()
      }
    }
  }
}

/// Bytes of a task that waits to write them. Right because the wait is taken back before they are no longer lent.
struct LentBytes: @unchecked Sendable {
  let memory: UnsafeRawBufferPointer
}

internal import CAsyncIO

// The synchronous form: the closure runs inside the completion, in the loop's poll phase, while the task stays
// suspended once for the whole connection. It costs what a protocol callback costs, and has the same shape: the closure
// may write, and what the system does not take at once is kept and delays the next receive.

/// Where the handler of ``StreamConnection/serveChunks(_:)`` writes. Valid during the call of the handler.
public struct ChunkWriter: ~Copyable {
  fileprivate let pump: Unmanaged<ChunkPump>

  /// Write the bytes: what the system takes at once is sent, the rest is kept and sent before the next chunk is
  /// received.
  public func write(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { bytes in pump._withUnsafeGuaranteedRef { $0.write(bytes) } }
  }
}

extension StreamConnection {
  /// Call the handler with each chunk of bytes, inside the loop's poll phase, until the peer ends its stream. The
  /// handler must not block. Output that the peer does not take delays the next receive.
  ///
  /// The handler is synchronous; one that awaits is a matter of ``forEachChunk(_:)``.
  ///
  /// For tasks of the connection's loop; from elsewhere it throws code `wrongThread`. Throws what the handler throws,
  /// `CancellationError`, or an ``IOError``.
  public func serveChunks(_ handler: (RawSpan, borrowing ChunkWriter) throws -> Void) async throws {
    try claimReader()
    defer { releaseReader() }
    try claimWriter()
    defer { releaseWriter() }
    try checkOpen("read")
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("serveChunks") }
    func pump(_ handler: @escaping (RawSpan, borrowing ChunkWriter) throws -> Void) async throws {
      let pump = ChunkPump(self, handler)
      defer { pump.end() }
      try await pump.run()
    }
    try await withoutActuallyEscaping(handler, do: pump)
  }
}

/// Holds the caller's closure behind one reference, so that a call does not retain it.
private final class ChunkHandler {
  let body: (RawSpan, borrowing ChunkWriter) throws -> Void
  init(_ body: @escaping (RawSpan, borrowing ChunkWriter) throws -> Void) { self.body = body }

  /// The address of what the closure captured, to prefetch and never to dereference.
  var captures: UnsafeRawPointer? { ClosureCaptures.address(in: Looked(body: body)) }

  private struct Looked { let body: (RawSpan, borrowing ChunkWriter) throws -> Void }
}

/// Drives one connection from completions. Loop thread only.
private final class ChunkPump: OperationObserver, @unchecked Sendable {
  // Unchecked because the cancellation handler names it; the handler only asks the loop to cancel, in the loop's
  // thread.
  private let connection: StreamConnection
  private let core: BaseEventLoop
  private let receiving: IOOperation
  private let sending: IOOperation
  /// The caller's closure, owned until `end()`.
  private var handler: Unmanaged<ChunkHandler>?
  private let captures: UnsafeRawPointer?
  @exclusivity(unchecked) private var output: [UInt8] = []
  @exclusivity(unchecked) private var hasOutput = false
  @exclusivity(unchecked) private var failure: (any Error)?
  @exclusivity(unchecked) private var isFinished = false
  @exclusivity(unchecked) private var waiter: UnsafeContinuation<Void, Never>?
  /// The task that waits, kept to ask whether it was cancelled. It lives at least as long as this works for it.
  @exclusivity(unchecked) private var task: UnsafeRawPointer?

  init(_ connection: StreamConnection, _ handler: @escaping (RawSpan, borrowing ChunkWriter) throws -> Void) {
    self.connection = connection
    let handler = ChunkHandler(handler)
    captures = handler.captures
    self.handler = .passRetained(handler)
    core = connection.core
    receiving = connection.receiving
    sending = connection.sending
  }

  func run() async throws {
    receiving.observer = .passUnretained(self)
    sending.observer = .passUnretained(self)
    // The server that owns the task ends the operations when it cancels the task.
    if let owner = connection.descriptor.owner, owner == casyncio_current_task() {
      await withUnsafeContinuation { begin($0) }
    } else {
      await runCancellably()
    }
    if let failure { throw failure }
  }

  /// Not inlined for the reason given at `BaseEventLoop.completeCancellably`.
  @inline(never)
  private func runCancellably(isolation: isolated (any Actor)? = #isolation) async {
    await suspendCancellably {
      begin($0)
    } onCancel: {
      core.perform { [self] _ in self.cancel() }
    }
  }

  private func begin(_ continuation: UnsafeContinuation<Void, Never>) {
    core.assertLoopThread()
    assert(waiter == nil, "two tasks wait for one connection's chunks")
    waiter = continuation
    task = casyncio_current_task()
    // If the task was cancelled before, its handler has already run; no wait may begin after that.
    if Task.isCancelled { cancel() } else { deliverLeftover() }
  }

  /// Break the ties to the connection's records.
  func end() {
    receiving.observer = nil
    sending.observer = nil
    handler?.release()
    handler = nil
  }

  private func cancel() { finish(CancellationError()) }

  /// Return `true` if it is over. A cancellation that found nothing in flight ended nothing, so nothing may begin after
  /// it.
  @inline(__always)
  private func endIfCancelled() -> Bool {
    guard let task, casyncio_is_task_cancelled(task) else { return false }
    cancel()
    return true
  }

  /// Finish with the first reason given. The task resumes when neither operation is in flight any more, because an
  /// operation in flight uses memory of this connection.
  private func finish(_ error: (any Error)? = nil) {
    core.assertLoopThread()
    if !isFinished {
      isFinished = true
      failure = error
      connection.cancelOperations()
    }
    guard receiving.state != .inFlight, sending.state != .inFlight, let waiter else { return }
    self.waiter = nil
    waiter.resume()
  }

  private func deliverLeftover() {
    guard !connection.leftover.isEmpty else { return receive() }
    let bytes = connection.leftover.take(connection.leftover.count)
    guard handle(bytes.span.bytes) else { return }
    if hasOutput { flush() } else { receive() }
  }

  private func handle(_ bytes: RawSpan) -> Bool {
    do {
      try handler!._withUnsafeGuaranteedRef { try $0.body(bytes, ChunkWriter(pump: .passUnretained(self))) }
      // A handler that closes its connection is not called again: its descriptor number may already be the next
      // connection's.
      if connection.isClosed { return fail(-Int(ECANCELED), "read") }
      return !isFinished
    } catch {
      finish(error)
      return false
    }
  }

  // MARK: Receiving

  /// Receive until a receive or the output has to wait, or other connections must have their turn.
  @inline(__always)
  private func receive() {
    var budget = 16
    while true {
      if endIfCancelled() { return }
      receiving.kind = .receiveLent
      receiving.sequence &+= 1
      guard core.submit(receiving) else { return }
      guard process() else { return }
      budget -= 1
      if budget == 0 {
        receiving.result = 0
        core.completeNextTurn(receiving)
        return
      }
    }
  }

  override func operationEnded(_ operation: IOOperation) {
    core.assertLoopThread()
    if operation === receiving { received() } else { sent() }
  }

  @inline(__always)
  private func received() {
    if isFinished { return finish() }
    if endIfCancelled() { return }
    if process() { receive() }
  }

  /// Process what a receive brought. Returns `true` to go on receiving.
  @inline(__always)
  private func process() -> Bool {
    guard receiving.result >= 0 else { return fail(receiving.result, "read") }
    if connection.isClosed { return fail(-Int(ECANCELED), "read") }
    // Needed once the system has fetched the bytes.
    casyncio_prefetch(handler?.toOpaque())
    casyncio_prefetch(captures)
    guard core.claimLent(receiving) else { return true }
    let n = receiving.result
    guard n > 0 else {
      if n < 0 { return fail(n, "read") }
      finish()
      return false
    }
    receiving.assertLends()
    // Right because the buffer is this operation's until it is returned below.
    let proceed = handle(UnsafeRawBufferPointer(start: receiving.buffer, count: n).bytes)
    receiving.assertReturns()
    core.returnLent(receiving)
    guard proceed else { return false }
    if !hasOutput { return true }
    flush()
    return false
  }

  private func fail(_ result: Int, _ operation: String) -> Bool {
    finish(wasCancelled(result) ? CancellationError() : connection.failure(result, operation))
    return false
  }

  /// True if the task was cancelled. The server that owns the task cancels the task first, then its operations.
  private func wasCancelled(_ result: Int) -> Bool {
    guard result == -Int(ECANCELED), let task else { return false }
    return casyncio_is_task_cancelled(task)
  }

  // MARK: Sending

  func write(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0, !isFinished, !connection.isClosed else { return }
    var sent = 0
    if !hasOutput {
      sent = core.trySend(connection.descriptor, bytes)
      if sent < 0 {
        _ = fail(sent, "write")
        return
      }
    }
    guard sent < bytes.count else { return }
    output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[sent...]))
    hasOutput = true
  }

  /// Send what is kept; the array does not change until that has ended.
  private func flush() {
    if endIfCancelled() { return }
    output.withUnsafeMutableBytes {
      sending.buffer = $0.baseAddress
      sending.count = $0.count
    }
    sending.transferred = 0
    sending.sequence &+= 1
    if core.submit(sending) { sent() }
  }

  private func sent() {
    sending.buffer = nil
    output = []
    hasOutput = false
    if isFinished { return finish() }
    guard sending.result >= 0 else {
      _ = fail(sending.result, "write")
      return
    }
    receive()
  }
}

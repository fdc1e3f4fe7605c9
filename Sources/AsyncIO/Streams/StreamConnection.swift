internal import CAsyncIO
internal import Logging
internal import Synchronization
internal import SystemPackage

/// A connected byte stream of an event loop, TCP or Unix. Answers asyncio's pair of `StreamReader` and `StreamWriter`.
///
/// One task at a time may read and one may write; a second one is refused with code `busy`. Reading and writing may go
/// on in different tasks at once. Cancelling a task ends its operation and loses no byte: what had arrived is
/// delivered, now or by the next read. `close()` ends pending calls in any task with an error.
///
/// **Threads.** Methods may be called from any task in any thread. In tasks of the connection's loop they run without a
/// hop; from elsewhere the operation travels to the loop and the task resumes where it was. The two claims guard the
/// fields, which is what makes the unchecked conformance right.
public final class StreamConnection: @unchecked Sendable {
  let core: BaseEventLoop
  let descriptor: IODescriptor
  let receiving: IOOperation
  let sending: IOOperation
  private let readClaim = Claim()
  private let writeClaim = Claim()
  /// Set by `writeEOF()` and `move(to:)`. Placed here to fill the padding after the claims.
  let hasEnded = Atomic<Bool>(false)
  let wasMoved = Atomic<Bool>(false)
  /// Why the connection was lost, as operations report it; 0 as long as it was not.
  let loss = Atomic<Int32>(0)

  /// Bytes that have been received and not yet delivered; guarded by the reader's claim.
  @exclusivity(unchecked) var leftover = ReadBuffer()

  /// Take over a connected, non-blocking socket that is in the loop's care.
  init(_ descriptor: IODescriptor) {
    core = descriptor.loop
    self.descriptor = descriptor
    receiving = IOOperation(.receive, on: descriptor)
    sending = IOOperation(.send, on: descriptor)
  }

  /// Take a connected, non-blocking socket into the loop's care.
  ///
  /// - Parameter shortReadsDrain: true of TCP, see ``IODescriptor/shortReadsDrain``.
  convenience init(_ fd: Int32, shortReadsDrain: Bool = false, core: BaseEventLoop) {
    let descriptor = IODescriptor(fd, loop: core)
    descriptor.shortReadsDrain = shortReadsDrain
    if core.isRunningInThisThread { core.backend.attach(descriptor) }
    self.init(descriptor)
  }

  deinit {
    guard !descriptor.isClosed else { return }
    if core.isDebug { core.logger.warning("a connection was dropped without close(); it is closed now") }
    descriptor.close()
  }

  // MARK: State

  /// The event loop of the connection.
  public var loop: any EventLoop { core }

  /// True once `close()` or `abort()` was called.
  public var isClosed: Bool { descriptor.isClosed }

  /// The address of this side; nil when the connection is closed or broken. Any thread.
  public var localAddress: SocketAddress? {
    core.withNumber(of: descriptor) { core.sockets.localAddress(of: $0) } ?? nil
  }

  /// The address of the other side; nil when the connection is closed or broken. Any thread.
  public var peerAddress: SocketAddress? {
    core.withNumber(of: descriptor) { core.sockets.peerAddress(of: $0) } ?? nil
  }

  // MARK: Ending

  /// End the connection: pending operations end with an error at once, the descriptor is closed. Everything that
  /// `write` returned for is on its way to the peer. Idempotent, any thread.
  public func close() { descriptor.close() }

  /// End the connection abruptly: the peer sees a reset, unsent data is dropped. Idempotent, any thread.
  public func abort() {
    descriptor.close(abortively: true)
  }

  /// Half-close the connection: the peer sees the end of the stream, this side goes on reading. Idempotent, any thread.
  /// Answers `write_eof`.
  public func writeEOF() throws {
    try checkOpen("writeEOF")
    hasEnded.store(true, ordering: .relaxed)
    guard core.isRunningInThisThread else { return postEOF() }
    do {
      try core.endWriting(descriptor)
    } catch .socketNotConnected {
      // The connection is already gone: the peer has seen its end.
    } catch {
      throw IOError(error, "writeEOF", subject)
    }
  }

  /// Tell the backend, whose state of the connection belongs to the loop's thread. A closed loop has nothing under way.
  private func postEOF() {
    core.perform { [descriptor] loop in
      if !descriptor.isClosed { try? loop.endWriting(descriptor) }
    } dropped: { [core, descriptor] in
      _ = core.withNumber(of: descriptor) { core.sockets.shutdown($0, Int32(SHUT_WR)) }
    }
  }

  // MARK: Claims

  func claimReader() throws(EventLoopError) {
    try readClaim.take(or: "read: another task is reading this connection. Let one task read it.")
  }

  func releaseReader() { readClaim.release() }

  func claimWriter() throws(EventLoopError) {
    try writeClaim.take(or: "write: another task is writing this connection. Let one task write it.")
  }

  func releaseWriter() { writeClaim.release() }

  @inline(never)
  func checkOpen(_ operation: String) throws(IOError) {
    if isClosed { throw closedHere(operation) }
  }

  /// Not inlined, like ``failure(_:_:)``: the text would have a place in the frame of every task that reads.
  @inline(never)
  func closedHere(_ operation: String) -> IOError {
    let wasMoved = self.wasMoved.load(ordering: .acquiring)
    let what = wasMoved ? "moved to another loop; use what move(to:) returned" : "closed here"
    return IOError(.badFileDescriptor, operation, "on a connection that was \(what)")
  }

  // MARK: Errors

  var subject: String { "descriptor \(descriptor.fileDescriptor)" }

  /// Return what a failed operation throws: the cancellation of the task, the close of the connection or of the loop,
  /// or the system's error.
  @inline(never)
  func failure(_ result: Int, _ operation: String) -> any Error {
    noteLoss(result)
    if result == -Int(EBADF) && isClosed { return closedHere(operation) }
    // A broken pipe is the answer to a write; it may come with the end of the input.
    let isLateAnswer = operation == "read" && result == -Int(EPIPE)
    return descriptor.failure(result, isLateAnswer ? "write" : operation, subject)
  }

  /// Throw if the end of the stream that a read has found is the end of a lost connection. A system reports a loss
  /// once: if a write has got the report, a read finds an end, as if the peer had said everything.
  @inline(never)
  func checkEnd() throws {
    // The task that writes may resume later than the one that reads. From other threads the record must not be looked
    // at.
    if core.isRunningInThisThread {
      noteLoss(sending.result)
      noteLoss(core.backend.sendError(of: descriptor))
    }
    let known = loss.load(ordering: .relaxed)
    if known != 0 { throw failure(Int(known), "read") }
  }

  /// Note a loss. EPIPE does not count as one: any write after either side has ended its stream gets it.
  func noteLoss(_ result: Int) {
    guard result < 0, [ECONNRESET, ETIMEDOUT, ECONNABORTED, EHOSTUNREACH].contains(Int32(-result)) else { return }
    loss.store(Int32(result), ordering: .relaxed)
  }

  /// End what the owning task itself waits for. What another task waits for ends by that one's cancellation, from which
  /// it may be shielded. Loop thread.
  func cancelOperationsOfOwner() {
    core.assertLoopThread()
    if !receiving.hasHandler { core.cancel(receiving) }
    if !sending.hasHandler { core.cancel(sending) }
  }

  /// End what is under way. Loop thread.
  func cancelOperations() {
    core.assertLoopThread()
    core.cancel(receiving)
    core.cancel(sending)
  }
}

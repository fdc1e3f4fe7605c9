internal import CAsyncIO
internal import Logging
internal import Synchronization
internal import SystemPackage

/// A connected byte stream of an event loop, TCP or Unix. Answers asyncio's pair of `StreamReader` and `StreamWriter`.
///
/// One task at a time may read and one may write; a second one is refused with code `busy`. Reading and writing may
/// go on in different tasks at once. Cancelling a task ends its operation and loses no byte: what had arrived is
/// delivered, now or by the next read. `close()` ends what waits, in any task, with an error.
///
/// **Threads.** Methods may be called from any task in any thread. In tasks of the connection's loop they run without
/// a hop; from elsewhere the operation travels to the loop and the task resumes where it was. The fields are guarded
/// by the two claims, which is what makes the unchecked conformance right.
public final class StreamConnection: @unchecked Sendable {
  let core: BaseEventLoop
  let descriptor: IODescriptor
  let receiving: IOOperation
  let sending: IOOperation
  private let readClaim = Claim()
  private let writeClaim = Claim()
  /// `writeEOF` was called, and `move(to:)`. In the bytes that the claims leave over.
  let hasEnded = Atomic<Bool>(false)
  let wasMoved = Atomic<Bool>(false)
  /// Why the connection was lost, as operations report it; 0 as long as it was not.
  let loss = Atomic<Int32>(0)

  /// Bytes that were received and not delivered yet; guarded by the reader's claim.
  @exclusivity(unchecked) var leftover = ReadBuffer()

  /// Takes over a connected, non-blocking socket that is in the loop's care.
  init(_ descriptor: IODescriptor) {
    core = descriptor.loop
    self.descriptor = descriptor
    receiving = IOOperation(.receive, on: descriptor)
    sending = IOOperation(.send, on: descriptor)
  }

  /// Takes a connected, non-blocking socket into the loop's care.
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

  /// The event loop that it belongs to.
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

  /// Ends the connection: operations that wait end with an error at once, the descriptor is closed. Everything that
  /// `write` returned for is on its way to the peer. Idempotent, any thread.
  public func close() { descriptor.close() }

  /// Ends the connection the hard way: the peer sees a reset, unsent data is dropped. Idempotent, any thread.
  public func abort() {
    descriptor.close(abortively: true)
  }

  /// Half-close: the peer sees the end of the stream, this side goes on reading. Idempotent, any thread. Answers
  /// `write_eof`.
  public func writeEOF() throws {
    try checkOpen("writeEOF")
    hasEnded.store(true, ordering: .relaxed)
    guard core.isRunningInThisThread else { return postEOF() }
    do {
      try core.backend.endWriting(descriptor)
    } catch .socketNotConnected {
      // The connection is gone already: the peer has seen its end.
    } catch {
      throw IOError(error, "writeEOF", subject)
    }
  }

  /// What the backend knows of the connection is for the loop's thread. A loop that is closed has nothing under way.
  private func postEOF() {
    core.perform { [descriptor] loop in
      if !descriptor.isClosed { try? loop.backend.endWriting(descriptor) }
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

  /// Not inlined, as ``failure(_:_:)``: the text would have a place in the frame of every task that reads.
  @inline(never)
  func closedHere(_ operation: String) -> IOError {
    let wasMoved = self.wasMoved.load(ordering: .acquiring)
    let what = wasMoved ? "moved to another loop; use what move(to:) returned" : "closed here"
    return IOError(.badFileDescriptor, operation, "on a connection that was \(what)")
  }

  // MARK: Errors

  var subject: String { "descriptor \(descriptor.fileDescriptor)" }

  /// What a failed operation throws: the cancellation of the task, the close of the connection or of the loop, or the
  /// system's error.
  @inline(never)
  func failure(_ result: Int, _ operation: String) -> any Error {
    noteLoss(result)
    if result == -Int(EBADF) && isClosed { return closedHere(operation) }
    // A broken pipe is the answer to a write, which may come with the end of the input.
    let isLateAnswer = operation == "read" && result == -Int(EPIPE)
    return descriptor.failure(result, isLateAnswer ? "write" : operation, subject)
  }

  /// A read has found the end of the stream: throws if it is the end of a connection that was lost. A system tells a
  /// loss once, and to whom it told it by a write, a read finds an end, as if the peer had said everything.
  @inline(never)
  func checkEnd() throws {
    // Its task may resume later than the one that reads. In other threads the record is not for looking at.
    if core.isRunningInThisThread {
      noteLoss(sending.result)
      noteLoss(core.backend.sendError(of: descriptor))
    }
    let known = loss.load(ordering: .relaxed)
    if known != 0 { throw failure(Int(known), "read") }
  }

  /// A broken pipe is no loss: it is what writes behind the own end, or behind the peer's, come to.
  func noteLoss(_ result: Int) {
    guard result < 0, [ECONNRESET, ETIMEDOUT, ECONNABORTED, EHOSTUNREACH].contains(Int32(-result)) else { return }
    loss.store(Int32(result), ordering: .relaxed)
  }

  /// Ends what the owning task waits for. Loop thread.
  func cancelOperations() {
    core.backend.cancel(receiving)
    core.backend.cancel(sending)
  }
}

internal import CAsyncIO
internal import SystemPackage

/// The writing end of a pipe for a protocol object. Answers the transport of asyncio's `connect_write_pipe`.
///
/// When the reader closes its end, the protocol is told that the pipe is lost, even if nothing is written: with an
/// ``IOError`` `.brokenPipe` if bytes waited, without one otherwise. Terminals and other devices do not report this.
///
/// **Threads.** See ``BaseTransport``.
public final class WritePipeTransport: PipeTransport, WriteTransport, StreamOutput {
  let sending: IOOperation
  private let hearing: IOOperation
  var outgoing = OutgoingBytes()

  init(_ fd: Int32, core: BaseEventLoop) throws {
    let end = try PipeEnd(fd, for: "connectWritePipe", mode: 2, on: core)
    sending = IOOperation(.write, on: end.descriptor)
    hearing = IOOperation(.ready, on: end.descriptor)
    super.init(end, core: core)
    observe(sending)
    observe(hearing)
  }

  override var summary: String {
    let state = life.isClosing ? "closing" : "\(waitingBytes) bytes waiting"
    return "WritePipeTransport (descriptor \(end.descriptor.fileDescriptor), \(state))"
  }

  override var waitingSize: Int { waitingBytes }

  override var isBusy: Bool { sending.state == .inFlight || hearing.state == .inFlight }

  override func begin() {
    if end.kind != .device { submit(hearing) }
  }

  override func closeHere() {
    if life.close(hasOutput: !outgoing.isEmpty) {
      cancel(hearing)
      finish(nil)
    }
  }

  override func stop() {
    cancel(hearing)
    dropOutput()
    hold()
  }

  override func ended(_ operation: IOOperation) {
    if operation === sending { return sent() }
    guard life.phase < .ending, operation.result != -Int(ECANCELED) else { return }
    if operation.result < 0 { return lose(operation.result, "write") }
    if outgoing.isEmpty { fail(nil) } else { lose(-Int(EPIPE), "write") }
  }

  // MARK: Writing

  /// Write the bytes: what the system takes at once, the rest in order as it takes more. See
  /// ``WriteTransport/write(_:)-(RawSpan)``. Answers `write`.
  public func write(_ bytes: RawSpan) throws(EventLoopError) {
    try checkThread("write")
    guard try admitsWrite(isEmpty: bytes.isEmpty, "write") else { return }
    bytes.withUnsafeBytes { send($0) }
  }

  /// Close the pipe after what was written, which is how its reader sees the end. Idempotent. Answers `write_eof`.
  public func writeEOF() throws(EventLoopError) {
    try checkThread("writeEOF")
    guard !life.isClosing else { return }
    _ = life.endWriting(hasOutput: true)
    closeHere()
  }

  func trySend(_ bytes: UnsafeRawBufferPointer) -> Int {
    let n = end.tryWrite(bytes)
    return n == -Int(EAGAIN) ? 0 : n
  }

  func drain() {
    guard life.flushed() == .finish else { return }
    cancel(hearing)
    finish(nil)
  }
}

internal import CAsyncIO
internal import Logging
internal import SystemPackage

/// The writing end of a pipe for a protocol object. Answers the transport of asyncio's `connect_write_pipe`.
///
/// When the reader closes its end the protocol is told that the pipe is lost, also if nothing is written: with an
/// ``IOError`` `.brokenPipe` if bytes waited, without one otherwise. Terminals and other devices do not say so.
///
/// **Threads.** See ``BaseTransport``.
public final class WritePipeTransport: PipeTransport, WriteTransport {
  private var writing: IOOperation!
  private var hearing: IOOperation!
  private var outgoing = OutgoingBytes()
  private var flow = WriteFlow()

  init(_ fd: Int32, core: BaseEventLoop) throws {
    super.init(try PipeEnd(fd, for: "connectWritePipe", mode: 2, on: core), core: core)
    writing = makeOperation(.write)
    hearing = makeOperation(.ready)
  }

  /// Number and state, in one line.
  public override var description: String {
    let state = life.isClosing ? "closing" : "\(waitingBytes) bytes waiting"
    return "WritePipeTransport (descriptor \(end.descriptor.fileDescriptor), \(state))"
  }

  override var isBusy: Bool { writing?.state == .inFlight || hearing?.state == .inFlight }

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
    // The bytes stay where they are until the system has let go of them.
    if writing.state == .inFlight { cancel(writing) } else { outgoing.removeAll() }
  }

  override func ended(_ operation: IOOperation) {
    if operation === writing { return wrote() }
    guard life.phase < .ending, operation.result != -Int(ECANCELED) else { return }
    if operation.result < 0 { return lose(operation.result, "write") }
    if outgoing.isEmpty { fail(nil) } else { lose(-Int(EPIPE), "write") }
  }

  // MARK: Writing

  /// Writes the bytes: at once what the system takes, the rest in order as it takes more. See
  /// ``WriteTransport/write(_:)-(RawSpan)``. Answers `write`.
  public func write(_ bytes: RawSpan) throws(EventLoopError) {
    guard try admitsWrite(isEmpty: bytes.isEmpty, "write") else { return }
    bytes.withUnsafeBytes { send($0) }
  }

  /// Writes several pieces as one. Answers `writelines`.
  public func writeLines(_ pieces: some Sequence<[UInt8]>) throws(EventLoopError) {
    var bytes: [UInt8] = []
    for piece in pieces { bytes += piece }
    guard try admitsWrite(isEmpty: bytes.isEmpty, "writeLines") else { return }
    bytes.withUnsafeBytes { send($0) }
  }

  /// Closes the pipe behind what was written, which is how its reader sees the end. Idempotent. Answers `write_eof`.
  public func writeEOF() throws(EventLoopError) {
    try checkThread("writeEOF")
    guard !life.isClosing else { return }
    _ = life.endWriting(hasOutput: true)
    closeHere()
  }

  /// True, although it closes the pipe: there is only one direction. Answers `can_write_eof`.
  public var canWriteEOF: Bool { true }

  private func admitsWrite(isEmpty: Bool, _ operation: String) throws(EventLoopError) -> Bool {
    try checkThread(operation)
    switch life.write(isEmpty: isEmpty) {
    case .send: return true
    case .discard: return false
    case .discardLoudly:
      core.logger.warning("\(description): bytes written after the end of the pipe are dropped")
      return false
    case .refuse:
      throw EventLoopError(
        .invalidState, "\(operation): the end of the stream was written already. Write before writeEOF().")
    }
  }

  private func send(_ bytes: UnsafeRawBufferPointer) {
    var sent = 0
    if outgoing.isEmpty {
      sent = uninterrupted { CAsyncIO.write(end.descriptor.fileDescriptor, bytes.baseAddress, bytes.count) }
      if sent == bytes.count { return }
      if sent == -Int(EAGAIN) { sent = 0 }
      if sent < 0 { return lose(sent, "write") }
    }
    outgoing.append(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
    sendRest()
    if life.phase < .ending { act(on: flow.update(waitingBytes)) }
  }

  /// Hands over what waits. While the protocol is paused the first part ends where it may go on.
  private func sendRest() {
    while writing.state != .inFlight, !outgoing.isEmpty, life.phase < .ending {
      let bytes = outgoing.next(flow.bytesToResume(outgoing.count))
      writing.buffer = bytes.baseAddress
      writing.count = bytes.count
      writing.transferred = 0
      writing.sequence &+= 1
      guard core.backend.submit(writing) else { break }
      takeResult()
    }
    hold()
  }

  private func wrote() {
    takeResult()
    sendRest()
  }

  /// A write has ended: the books first, then the protocol, then what waited for the last byte.
  private func takeResult() {
    writing.buffer = nil
    guard life.phase < .ending else { return outgoing.removeAll() }
    guard writing.result >= 0 else { return lose(writing.result, "write") }
    outgoing.consume(writing.count)
    act(on: flow.update(outgoing.count))
    guard outgoing.isEmpty, life.flushed() == .finish else { return }
    cancel(hearing)
    finish(nil)
  }

  // MARK: Flow control

  /// How many bytes wait to be written. Answers `get_write_buffer_size`.
  public var writeBufferSize: Int {
    requireThread("writeBufferSize")
    return waitingBytes
  }

  /// When the protocol is asked to pause and to go on. Answers `get_write_buffer_limits`.
  public var writeBufferLimits: WriteBufferLimits {
    requireThread("writeBufferLimits")
    return flow.limits
  }

  /// Sets the limits, see ``WriteTransport/setWriteBufferLimits(high:low:)``. Answers `set_write_buffer_limits`.
  public func setWriteBufferLimits(high: Int? = nil, low: Int? = nil) throws(EventLoopError) {
    try checkThread("setWriteBufferLimits")
    let limits = try WriteBufferLimits(high: high, low: low)
    act(on: flow.setLimits(limits, waitingBytes))
  }

  private var waitingBytes: Int {
    if life.phase >= .ending { return 0 }
    return outgoing.count - (writing.state == .inFlight ? writing.transferred : 0)
  }
}

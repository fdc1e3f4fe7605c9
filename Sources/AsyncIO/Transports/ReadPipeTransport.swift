internal import CAsyncIO

/// The reading end of a pipe for a protocol object. Answers the transport of asyncio's `connect_read_pipe`.
///
/// The protocol is told of the transport, of chunks, of the end of the stream and of the loss. A pipe is over at its
/// end, whatever ``ReceivingProtocol/eofReceived()`` returns. A terminal that hangs up is an end, not an error.
///
/// **Threads.** See ``BaseTransport``.
public final class ReadPipeTransport: PipeTransport, ReadTransport {
  private var proto: (any StreamProtocol)?
  private let readiness: IOOperation

  /// The largest number of bytes in one call.
  private static var chunk: Int { 64 * 1024 }

  init(_ fd: Int32, core: BaseEventLoop) throws {
    let end = try PipeEnd(fd, for: "connectReadPipe", mode: 1, on: core)
    readiness = IOOperation(.ready, on: end.descriptor)
    super.init(end, core: core)
    observe(readiness)
  }

  override var summary: String {
    let state = life.isClosing ? "closing" : isBusy ? "reading" : "idle"
    return "ReadPipeTransport (descriptor \(end.descriptor.fileDescriptor), \(state))"
  }

  override func adopt(_ proto: any BaseProtocol) throws(EventLoopError) {
    guard let proto = proto as? any StreamProtocol else {
      throw EventLoopError(
        .invalidArgument, "\(type(of: proto)) cannot read from a pipe. Conform it to StreamProtocol.")
    }
    self.proto = proto
  }

  override func disown() { proto = nil }

  override var isBusy: Bool { readiness.state == .inFlight }
  override func begin() { if life.wantsInput { submit(readiness) } }
  override func stop() { cancel(readiness) }

  override func closeHere() {
    let isFlushed = life.close(hasOutput: false)
    cancel(readiness)
    if isFlushed { finish(nil) }
  }

  /// True while bytes are delivered as they come. Answers `is_reading`.
  public var isReading: Bool {
    requireThread("isReading")
    return life.wantsInput
  }

  /// Pause delivery until ``resumeReading()``: the writer has to wait. Idempotent; has no effect when closing. Answers
  /// `pause_reading`.
  public func pauseReading() {
    requireThread("pauseReading")
    if life.pause() { cancel(readiness) }
  }

  /// Resume delivery, from the next turn on. Idempotent; has no effect when closing. Answers `resume_reading`.
  public func resumeReading() {
    requireThread("resumeReading")
    if life.resume() { submit(readiness) }
  }

  override func ended(_ operation: IOOperation) {
    guard life.wantsInput else { return }
    if operation.result >= 0 {
      read()
    } else if operation.result != -Int(ECANCELED) {
      lose(operation.result, "read")
    }
    if life.wantsInput { submit(readiness) }
  }

  private func read() {
    withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 16) { memory in
      let n = end.tryRead(memory)
      switch n {
      case 1...: deliver(UnsafeRawBufferPointer(rebasing: memory[..<n]))
      case 0: pipeEnded()
      case -Int(EIO) where end.kind == .device: pipeEnded()
      // The pipe is empty: from here on only a report counts.
      case -Int(EAGAIN): end.descriptor.isReadable = false
      default: lose(n, "read")
      }
    }
  }

  private func deliver(_ bytes: UnsafeRawBufferPointer) {
    do {
      try inScope { try proto?.dataReceived(bytes.bytes) }
    } catch {
      protocolFailed("dataReceived", error)
    }
  }

  private func pipeEnded() {
    life.peerEnded()
    do {
      try inScope { _ = try proto?.eofReceived() }
      if !life.isClosing { closeHere() }
    } catch {
      protocolFailed("eofReceived", error)
    }
  }

  private func protocolFailed(_ name: String, _ error: any Error) {
    report("exception in \(name) of a protocol; the pipe is closed", error)
    fail(error)
  }
}

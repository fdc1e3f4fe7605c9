internal import CAsyncIO
internal import SystemPackage

// One or two ends of pipes in the hands of a framework with channels of its own, as ``ChannelSocket`` is for sockets.
// What counts as a pipe is said in PipeEnd.swift. The traps:
//
// - A wait takes nothing: the call that reads or writes is made when the owner makes it, and does not block.
// - The end of a direction is the close of its descriptor. Waits of it end with that, and the owner asked for it.
// - The reader of a FIFO may go while nothing is written. That is waited for as well; of others it cannot be told from
//   input.

/// A pipe to read from, one to write to, or both. Loop thread.
@_spi(Channels)
public final class ChannelPipe: ChannelEndpoint, ChannelStream {
  private let input: PipeEnd?
  private let output: PipeEnd?
  /// Waits for the reader of the output to go.
  private let hearing: IOOperation?
  private let relay = Relay()

  private final class Relay: OperationObserver {
    /// Right because a pipe holds itself while a wait of it is in flight.
    unowned(unsafe) var pipe: ChannelPipe?
    override func operationEnded(_ operation: IOOperation) { pipe?.heard(operation.result) }
  }

  /// Take ends of pipes, sockets or terminals: one or two, with different numbers. They are closed with this object.
  /// Throws code `invalidArgument` for other files, for an end that is not open in that direction, for none, and for
  /// one twice; `invalidState` for one that the loop has already; `notOffered` if the loop has no pipes; ``IOError``.
  /// What was given is then the caller's still. Loop thread.
  public static func open(
    input: Int32?, output: Int32?, on loop: BaseEventLoop
  ) throws -> ChannelPipe {
    guard input != output else {
      throw EventLoopError(
        .invalidArgument, "ChannelPipe.open: both ends are \(input.map { "\($0)" } ?? "nil"). Give two, or one.")
    }
    let reading = try input.map { try PipeEnd($0, for: "ChannelPipe.open", mode: 1, on: loop) }
    do {
      let writing = try output.map { try PipeEnd($0, for: "ChannelPipe.open", mode: 2, on: loop) }
      return ChannelPipe(reading, writing)
    } catch {
      reading?.descriptor.borrow()
      _ = reading?.descriptor.giveBack()
      throw error
    }
  }

  /// Take one descriptor to read from and to write to: a socket, a terminal, a serial line. A second number is made for
  /// the output, and both are closed with this object. Throws as ``open(input:output:on:)`` does, and ``IOError`` if
  /// the system has no number left; the caller then still owns the descriptor. Loop thread.
  public static func open(inputOutput fd: Int32, on loop: BaseEventLoop) throws -> ChannelPipe {
    let other = casyncio_duplicate(fd)
    guard other >= 0 else { throw IOError(result: Int(other), "ChannelPipe.open", "descriptor \(fd)") }
    do {
      return try open(input: fd, output: other, on: loop)
    } catch {
      closeNumber(other)
      throw error
    }
  }

  private init(_ input: PipeEnd?, _ output: PipeEnd?) {
    (self.input, self.output) = (input, output)
    // Right because `open` refuses two ends that are nil.
    let (first, last) = ((input ?? output)!, (output ?? input)!)
    // A FIFO that is open in both directions is its own reader.
    hearing = output.flatMap {
      $0.kind == .fifo && casyncio_access_mode($0.descriptor.fileDescriptor) == 2
        ? IOOperation(.ready, on: $0.descriptor) : nil
    }
    super.init(
      first.descriptor, receiving: IOOperation(.ready, on: first.descriptor),
      sending: IOOperation(.writable, on: last.descriptor))
    relay.pipe = self
    hearing?.observer = .passUnretained(relay)
  }

  deinit { output?.descriptor.close() }

  /// Begin to listen for the end of the reader. The ends are in the loop's care already. Loop thread, once.
  public override func begin() { if let hearing { submitForLater(hearing, .ready) } }

  /// Close it, and tell the owner nothing more. Idempotent.
  public override func close() {
    owner = nil
    output?.descriptor.close()
    super.close()
  }

  override var isBusy: Bool { super.isBusy || hearing?.state == .inFlight }

  private func submitForLater(_ operation: IOOperation, _ kind: IOOperation.Kind) {
    if submit(operation, kind) { core.completeNextTurn(operation) }
    hold()
  }

  // MARK: Input

  /// Wait for input. Idempotent.
  public override func awaitInput() {
    core.assertLoopThread()
    guard let input, !input.isClosed else { return }
    isUnwanted = false
    if receiving.state != .inFlight { submitForLater(receiving, .ready) }
  }

  /// Take what is there. Returns how many bytes, 0 at the end of the stream, or a negated errno; `-EAGAIN` if nothing
  /// is there: then ``awaitInput()`` waits for more.
  public func takeInput(into memory: UnsafeMutableRawBufferPointer) -> Int {
    core.assertLoopThread()
    guard let input, !input.isClosed else { return -Int(EBADF) }
    guard !memory.isEmpty else { return -Int(EAGAIN) }
    let count = input.tryRead(memory)
    if count == -Int(EAGAIN) { input.descriptor.isReadable = false }
    return count == -Int(EIO) && input.kind == .device ? 0 : count
  }

  /// Return `false`: the end of a pipe is found by reading.
  public func awaitEnd() -> Bool { false }

  /// Return `false`: so is a failure.
  public func awaitFailure() -> Bool { false }

  override func inputEnded() {
    guard !isUnwanted, receiving.result != -Int(ECANCELED), input?.isClosed == false else { return }
    owner?.inputIsThere()
  }

  /// Close the input, if there is one. Throws ``IOError`` if it is closed.
  public func endReading() throws(IOError) { try end(input) }

  // MARK: Output

  /// Write what the system takes now. Returns how many bytes, 0 if it takes none, or a negated errno.
  public func send(_ bytes: UnsafeRawBufferPointer, exactly: Bool) -> Int {
    core.assertLoopThread()
    guard let output, !output.isClosed else { return -Int(EBADF) }
    let count = output.tryWrite(bytes)
    return count == -Int(EAGAIN) ? 0 : count
  }

  /// Return `true`: only what the system takes is taken.
  public func sendTaken() -> Bool { true }

  /// Return `-ENOSYS`: a program has to read the file itself.
  public func sendFile(_ file: Int32, from offset: Int64, count: Int) -> Int { -Int(ENOSYS) }

  /// Wait until the system takes more. Idempotent.
  public func awaitOutput() {
    core.assertLoopThread()
    guard let output, !output.isClosed, sending.state != .inFlight else { return }
    submitForLater(sending, .writable)
  }

  override func outputEnded() { if output?.isClosed == false { super.outputEnded() } }

  private func heard(_ result: Int) {
    withExtendedLifetime(self) {
      if result != -Int(ECANCELED), output?.isClosed == false { owner?.peerHasGone() }
      hold()
    }
  }

  /// Close the output, if there is one: the reader sees the end after what was written. Throws ``IOError`` if it is
  /// closed.
  public func endWriting() throws(IOError) { try end(output) }

  private func end(_ end: PipeEnd?) throws(IOError) {
    guard let end else { return }
    if end.isClosed { throw .closedHere("close", "pipe") }
    end.descriptor.close()
  }
}

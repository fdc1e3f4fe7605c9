@_spi(Channels) internal import AsyncIO
internal import NIOCore
internal import Synchronization

/// A connected or connecting stream, TCP or Unix, or pipes. See ``BaseChannel``.
final class StreamChannel: BaseChannel, @unchecked Sendable {
  let socket: any ChannelStream
  var writes = PendingWrites()
  private let writableFlag = Atomic<Bool>(true)
  private var allowsRemoteHalfClosure = false
  var isInputClosed = false
  var isOutputClosed = false
  /// The end of the output was asked for while writes wait.
  private var pendingOutputClose: [EventLoopPromise<Void>]?
  var isFlushing = false
  var awaitsOutput = false
  /// True in what the system's report on the output has brought about.
  var isAnswering = false
  /// The end of the input has been reported, and may still wait for what is on its way out.
  var isEnding = false
  /// A piece of the file that is sent.
  var fileBlock = FileBlock()
  var writeSpinCount: UInt = 16
  private var connectTimeout: TimeAmount?
  private var connectTimer: Scheduled<Void>?

  init(_ socket: any ChannelStream, parent: (any Channel)?, loop: AsyncIOEventLoop) {
    self.socket = socket
    super.init(socket, parent: parent, loop: loop)
  }

  override var isWritable: Bool { writableFlag.load(ordering: .relaxed) }

  // MARK: Connecting

  override func bind0(to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    guard life.isOpen, !(socket is ChannelSocket) else { return super.bind0(to: address, promise: promise) }
    fail(promise, ChannelError.operationUnsupported)
  }

  override func connect0(to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    guard mayConnect(promise) else { return }
    guard let socket = socket as? ChannelSocket else {
      return connectFailed(ChannelError.operationUnsupported, promise)
    }
    guard parent == nil, !life.isActive else {
      return connectFailed(
        NIOCore.IOError(errnoCode: ErrorNumber.addressIsConnected, reason: "connect to \(address)"), promise)
    }
    let remote: AsyncIO.SocketAddress
    do { remote = try address.forLoops() } catch { return connectFailed(error, promise) }
    switch socket.connect(to: remote) {
    case 0?:
      noteAddresses()
      becomeActive0(promise: promise)
    case let result?: connectFailed(NIOCore.IOError(result: result, "connect to \(address)"), promise)
    case nil:
      noteAddresses()
      pendingConnect = promise ?? loop.makePromise(of: Void.self)
      limitConnect()
    }
  }

  private func limitConnect() {
    guard let connectTimeout else { return }
    connectTimer = loop.assumeIsolated().scheduleTask(in: connectTimeout) {
      if self.pendingConnect != nil {
        self.close0(error: ChannelError.connectTimeout(connectTimeout), mode: .all, promise: nil)
      }
    }
  }

  private func connected(_ result: Int, _ promise: EventLoopPromise<Void>) {
    connectTimer?.cancel()
    connectTimer = nil
    guard result >= 0 else {
      return close0(error: NIOCore.IOError(result: result, "connect"), mode: .all, promise: nil)
    }
    pendingConnect = nil
    noteAddresses()
    // What is flushed before all handlers know of the connection goes out behind that word.
    awaitsOutput = true
    becomeActive0(promise: promise)
  }

  // MARK: Events

  override func awaitInput() { if !isInputClosed { socket.awaitInput() } }
  override func inputIsThere() { takeInput() }
  override func peerHasEnded() { if isInputClosed { peerHasReset() } else { takeInputToItsEnd() } }

  @discardableResult
  override func readIfNeeded0() -> Bool {
    let reads = super.readIfNeeded0()
    if !reads { watchEnd() }
    return reads
  }
  override func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) { addWrite(data, promise) }
  override func flush0() { flush() }
  override func flushNow() {
    awaitsOutput = false
    sendFlushed()
  }

  override func outputIsPossible(_ result: Int) {
    guard life.isOpen else { return }
    if let connecting = pendingConnect { return connected(result, connecting) }
    isAnswering = true
    defer { isAnswering = false }
    if result < 0 { writeFailed(result) } else { flushNow() }
  }

  override func peerHasGone() {
    // With input left the channel goes on, and a write fails.
    guard life.isOpen, isInputClosed else { return }
    close0(error: NIOCore.IOError(errnoCode: ErrorNumber.brokenPipe, reason: "write"), mode: .all, promise: nil)
  }

  /// Close: the peer had ended its stream, and has reset the connection since.
  private func peerHasReset() {
    guard life.isOpen else { return }
    let error = NIOCore.IOError(errnoCode: ErrorNumber.connectionReset, reason: "connection reset")
    close0(error: error, mode: .all, promise: nil)
  }

  // MARK: Ending

  override func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    switch mode {
    case .output: closeOutput(error, promise)
    case .input: closeInput(error, promise)
    case .all:
      connectTimer?.cancel()
      connectTimer = nil
      super.close0(error: error, mode: .all, promise: promise)
    }
  }

  private func closeOutput(_ error: any Error, _ promise: EventLoopPromise<Void>?) {
    guard life.isOpen else { return fail(promise, ChannelError.alreadyClosed) }
    if isOutputClosed { return fail(promise, ChannelError.outputClosed) }
    if isInputClosed { return close0(error: error, mode: .all, promise: promise) }
    pendingOutputClose = (pendingOutputClose ?? []) + (promise.map { [$0] } ?? [])
    if writes.isEmpty { endOutput() }
  }

  /// End the output if that was asked for and nothing waits.
  func endOutputIfDue() {
    if pendingOutputClose != nil && !awaitsOutput && writes.isEmpty && life.isOpen { endOutput() }
  }

  private func endOutput() {
    guard socket.sendTaken() else { return waitForOutput() }
    let promises = pendingOutputClose ?? []
    pendingOutputClose = nil
    do {
      try inNIOsWords { try socket.endWriting() }
      isOutputClosed = true
      for promise in promises { promise.succeed(()) }
    } catch {
      for promise in promises { promise.fail(error) }
    }
    pipeline.fireUserInboundEventTriggered(ChannelEvent.outputClosed)
  }

  func closeInput(_ error: any Error, _ promise: EventLoopPromise<Void>?) {
    guard life.isOpen else { return fail(promise, ChannelError.alreadyClosed) }
    if isInputClosed { return fail(promise, ChannelError.inputClosed) }
    if isOutputClosed { return close0(error: error, mode: .all, promise: promise) }
    if error as? ChannelError != .eof {
      do { try inNIOsWords { try socket.endReading() } } catch { return fail(promise, error) }
    }
    isInputClosed = true
    socket.stopAwaitingInput()
    promise?.succeed(())
    pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    if life.isOpen, error as? ChannelError == .eof, socket.awaitFailure() { loop.execute { self.peerHasReset() } }
  }

  override func failWrites(_ error: any Error) {
    let promises = writes.removeAll() + (pendingOutputClose ?? [])
    pendingOutputClose = nil
    fileBlock.bytes = ByteBuffer()
    for promise in promises { promise.fail(error) }
  }

  // MARK: Writability

  func tellWritable(_ value: Bool) {
    writableFlag.store(value, ordering: .relaxed)
    pipeline.syncOperations.fireChannelWritabilityChanged()
  }

  // MARK: Options

  var allowsHalfClosure: Bool { allowsRemoteHalfClosure }

  override func set<Option: ChannelOption>(_ option: Option, to value: Option.Value) throws {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    switch option {
    case is ChannelOptions.Types.AllowRemoteHalfClosureOption: allowsRemoteHalfClosure = value as! Bool
    case is ChannelOptions.Types.WriteSpinOption: writeSpinCount = value as! UInt
    case is ChannelOptions.Types.WriteBufferWaterMarkOption:
      writes.waterMark = value as! ChannelOptions.Types.WriteBufferWaterMark
    case is ChannelOptions.Types.ConnectTimeoutOption: connectTimeout = value as! TimeAmount?
    default: try super.set(option, to: value)
    }
  }

  override func get<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    switch option {
    case is ChannelOptions.Types.AllowRemoteHalfClosureOption: return allowsRemoteHalfClosure as! Option.Value
    case is ChannelOptions.Types.WriteSpinOption: return writeSpinCount as! Option.Value
    case is ChannelOptions.Types.WriteBufferWaterMarkOption: return writes.waterMark as! Option.Value
    case is ChannelOptions.Types.BufferedWritableBytesOption: return writes.byteCount as! Option.Value
    case is ChannelOptions.Types.ConnectTimeoutOption: return connectTimeout as! Option.Value
    default: return try super.get(option)
    }
  }
}

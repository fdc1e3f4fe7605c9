@_spi(Channels) internal import AsyncIO
internal import NIOCore
internal import Synchronization

// Datagrams. The traps:
//
// - An error concerns one datagram, and most of them leave the channel open. A datagram that some system has refused is
//   reported by the next call, whatever that is: a receive, or the send of another datagram, which is then not sent.
// - The system may keep a datagram waiting. It stays the first of those that wait until the system has answered.

/// A channel for datagrams, UDP or Unix. It reads `AddressedEnvelope<ByteBuffer>`, and writes the same; connected, it
/// writes `ByteBuffer` as well. See ``BaseChannel``.
final class DatagramChannel: BaseChannel, @unchecked Sendable {
  let socket: ChannelDatagramSocket
  /// What the handlers want to know of each datagram.
  var reports = DatagramReports()
  private var writes = PendingDatagrams()
  private let writableFlag = Atomic<Bool>(true)
  private var isFlushing = false
  /// True while the system has the first datagram and has not answered.
  private var awaitsOutput = false
  /// What is set; a flush ends when the system takes no more.
  private var writeSpinCount: UInt = 16

  init(_ socket: ChannelDatagramSocket, loop: AsyncIOEventLoop) {
    self.socket = socket
    super.init(socket, parent: nil, loop: loop)
    // NIO's size: the datagrams of most protocols are smaller.
    receiveBuffers.recvAllocator = FixedSizeRecvByteBufferAllocator(capacity: 2048)
  }

  override var isWritable: Bool { writableFlag.load(ordering: .relaxed) }

  // MARK: Names

  override func bind0(to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    guard life.isRegistered else { return fail(promise, ChannelError.inappropriateOperationForState) }
    do {
      try inNIOsWords { try socket.bind(to: try address.forLoops()) }
    } catch {
      return fail(promise, error)
    }
    noteAddresses()
    becomeActive0(promise: promise)
  }

  /// Connect, which is done at once; also again, and on a channel that is bound.
  override func connect0(to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    guard mayConnect(promise) else { return }
    let early = writes.removeAll()
    for promise in early {
      promise.fail(
        NIOCore.IOError(
          errnoCode: ErrorNumber.addressIsConnected, reason: "Socket was connected before flushing pending write."))
    }
    do {
      try inNIOsWords { try socket.connect(to: try address.forLoops()) }
    } catch {
      return connectFailed(error, promise)
    }
    noteAddresses()
    if life.isActive { promise?.succeed(()) } else { becomeActive0(promise: promise) }
  }

  // MARK: Reading

  override func awaitInput() { socket.awaitInput() }

  override func inputIsThere() {
    loop.assertInEventLoop()
    guard life.isActive, readPending else { return }
    if readFromSocket(), life.isActive { pipeline.syncOperations.fireChannelReadComplete() }
    readIfNeeded0()
    guard life.isOpen else { return }
    if readPending { socket.awaitInput() } else { socket.stopAwaitingInput() }
  }

  /// Read a few datagrams. Returns `false` if there was nothing.
  private func readFromSocket() -> Bool {
    var hasRead = false
    for _ in 0..<maxMessagesPerRead {
      guard life.isActive else { return hasRead }
      do {
        let (data, datagram) = try receiveBuffers.buffer(allocator: allocator) { buffer in
          try inNIOsWords { try receive(into: &buffer) }
        }
        guard let datagram else { return hasRead }
        receiveBuffers.record(actualReadBytes: datagram.count)
        readPending = false
        hasRead = true
        // Of a family that NIO has no form of, which no bootstrap makes.
        guard let sender = NIOCore.SocketAddress(datagram.sender) else { continue }
        let envelope = AddressedEnvelope(
          remoteAddress: sender, data: data, metadata: reports.metadata(datagram.metadata))
        pipeline.syncOperations.fireChannelRead(NIOAny(envelope))
      } catch {
        pipeline.syncOperations.fireErrorCaught(error)
        if !Self.passes(error) { close0(error: error, mode: .all, promise: nil) }
        return true
      }
    }
    return hasRead
  }

  private func receive(into buffer: inout ByteBuffer) throws -> ChannelDatagramSocket.Datagram? {
    var datagram: ChannelDatagramSocket.Datagram?
    try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 0) { memory in
      datagram = try socket.takeDatagram(into: memory)
      return datagram?.count ?? 0
    }
    return datagram
  }

  /// True for what concerns one datagram, or passes.
  private static func passes(_ error: any Error) -> Bool {
    let number = (error as? NIOCore.IOError)?.errnoCode
    return number == ErrorNumber.connectionRefused || number == ErrorNumber.noMemory
  }

  // MARK: Writing

  override func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    guard life.isOpen else { return fail(promise, ChannelError.ioOnClosedChannel) }
    do {
      if writes.add(try pendingWrite(data, promise)) { tellWritable(false) }
    } catch {
      fail(promise, error)
    }
  }

  private func pendingWrite(_ data: NIOAny, _ promise: EventLoopPromise<Void>?) throws -> PendingDatagrams.Write {
    let peer = remoteAddress
    guard let envelope = tryUnwrapData(data, as: AddressedEnvelope<ByteBuffer>.self) else {
      guard let bytes = tryUnwrapData(data, as: ByteBuffer.self) else { throw ChannelError.operationUnsupported }
      guard peer != nil else { throw DatagramChannelError.WriteOnUnconnectedSocketWithoutAddress() }
      return .init(data: bytes, address: nil, metadata: nil, promise: promise)
    }
    let metadata = try outgoing(envelope.metadata)
    guard let peer else {
      let address = try envelope.remoteAddress.forLoops()
      return .init(data: envelope.data, address: address, metadata: metadata, promise: promise)
    }
    guard envelope.remoteAddress == peer else {
      throw DatagramChannelError.WriteOnConnectedSocketWithInvalidAddress(
        envelopeRemoteAddress: envelope.remoteAddress, connectedRemoteAddress: peer)
    }
    return .init(data: envelope.data, address: nil, metadata: metadata, promise: promise)
  }

  override func flush0() {
    loop.assertInEventLoop()
    guard life.isOpen else { return }
    writes.flush()
    flushNow()
  }

  override func flushNow() {
    // What a callback flushes is sent by the loop that called it.
    guard !isFlushing, life.isActive else { return }
    isFlushing = true
    defer { isFlushing = false }
    while life.isActive, !awaitsOutput, let first = writes.first {
      if let result = send(first) { sent(result) } else { awaitsOutput = true }
    }
    if life.isActive, writes.becameWritable() { tellWritable(true) }
  }

  private func send(_ write: PendingDatagrams.Write) -> Int? {
    let result = write.data.withUnsafeReadableBytes { socket.send($0, to: write.address, with: write.metadata) }
    guard result == -Int(ErrorNumber.connectionRefused) else { return result }
    // That was about an earlier datagram, and the report is spent.
    pipeline.syncOperations.fireErrorCaught(NIOCore.IOError(errnoCode: ErrorNumber.connectionRefused, reason: "write"))
    guard life.isActive else { return 0 }
    return write.data.withUnsafeReadableBytes { socket.send($0, to: write.address, with: write.metadata) }
  }

  /// Take the system's answer to the first datagram.
  private func sent(_ result: Int) {
    guard life.isActive else { return }
    switch Int32(truncatingIfNeeded: -result) {
    case ..<1: writes.removeFirst()?.succeed(())
    case ErrorNumber.messageTooLong: writes.removeFirst()?.fail(ChannelError.writeMessageTooLarge)
    case ErrorNumber.hostUnreachable: writes.removeFirst()?.fail(ChannelError.writeHostUnreachable)
    case ErrorNumber.connectionRefused:
      writes.removeFirst()?.fail(NIOCore.IOError(result: result, "write"))
    default:
      drainInput()
      if life.isOpen { close0(error: NIOCore.IOError(result: result, "write"), mode: .all, promise: nil) }
    }
  }

  /// Read what has come before the channel closes; not all that a peer may go on to send.
  private func drainInput() {
    var turns = 16
    while turns > 0, life.isActive, readIfNeeded0(), readFromSocket() { turns -= 1 }
    if turns < 16, life.isActive { pipeline.syncOperations.fireChannelReadComplete() }
  }

  override func outputIsPossible(_ result: Int) {
    guard life.isOpen else { return }
    awaitsOutput = false
    sent(result)
    flushNow()
  }

  override func failWrites(_ error: any Error) { for promise in writes.removeAll() { promise.fail(error) } }

  private func tellWritable(_ value: Bool) {
    writableFlag.store(value, ordering: .relaxed)
    pipeline.syncOperations.fireChannelWritabilityChanged()
  }

  // MARK: Options

  override func set<Option: ChannelOption>(_ option: Option, to value: Option.Value) throws {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    switch option {
    case is ChannelOptions.Types.WriteSpinOption: writeSpinCount = value as! UInt
    case is ChannelOptions.Types.WriteBufferWaterMarkOption:
      writes.waterMark = value as! ChannelOptions.Types.WriteBufferWaterMark
    // A hint: these channels read one datagram at a time.
    case is ChannelOptions.Types.DatagramVectorReadMessageCountOption: break
    default: if try !setMetadata(option, value as Any) { try super.set(option, to: value) }
    }
  }

  override func get<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    switch option {
    case is ChannelOptions.Types.WriteSpinOption: return writeSpinCount as! Option.Value
    case is ChannelOptions.Types.WriteBufferWaterMarkOption: return writes.waterMark as! Option.Value
    case is ChannelOptions.Types.BufferedWritableBytesOption: return writes.byteCount as! Option.Value
    case is ChannelOptions.Types.DatagramVectorReadMessageCountOption: return 0 as! Option.Value
    default: return try metadataOption(option) as! Option.Value? ?? super.get(option)
    }
  }
}

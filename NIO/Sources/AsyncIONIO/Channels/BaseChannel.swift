@_spi(Channels) internal import AsyncIO
internal import NIOCore
internal import Synchronization

// What channels of all kinds have in common: the life, the names, the order in which handlers are told. The
// rules are NIO's, and its channels are the oracle: the tests run each program on both. The traps:
//
// - Every call out (a promise, a handler) may close the channel. So the books are right before it, and nothing that was
//   read before it is believed after it.
// - When a channel closes, its writes fail first, then the promise of the close is kept, then the handlers are told.
//   They leave the pipeline in a later turn, as one of them may still be on the stack.

/// A channel over a socket. Everything but what `Channel` offers to any thread happens in the loop's thread. That makes
/// the unchecked conformance right.
class BaseChannel: Channel, ChannelCore, ChannelSocketOwner, @unchecked Sendable {
  final let loop: AsyncIOEventLoop
  final let endpoint: ChannelEndpoint
  final let parent: (any Channel)?
  private final let closePromise: EventLoopPromise<Void>
  private final var ownPipeline: ChannelPipeline!
  final var life = ChannelLife()
  /// Its number among the loop's channels.
  private final var number: Int?

  /// A read was asked for and has not brought anything yet.
  final var readPending = false
  final var autoRead = true
  final var maxMessagesPerRead: UInt = 4
  final var receiveBuffers: NIOPooledRecvBufferAllocator
  /// The connect that goes on.
  final var pendingConnect: EventLoopPromise<Void>?

  // For any thread.
  private final let activeFlag = Atomic<Bool>(false)
  private final let shown = Mutex(Shown())
  private struct Shown {
    var local: NIOCore.SocketAddress?
    var remote: NIOCore.SocketAddress?
    var allocator = ByteBufferAllocator()
  }

  init(_ endpoint: ChannelEndpoint, parent: (any Channel)?, loop: AsyncIOEventLoop) {
    self.endpoint = endpoint
    self.parent = parent
    self.loop = loop
    closePromise = loop.makePromise(of: Void.self)
    receiveBuffers = NIOPooledRecvBufferAllocator(capacity: 4, recvAllocator: AdaptiveRecvByteBufferAllocator())
    ownPipeline = ChannelPipeline(channel: self)
  }

  deinit {
    // A channel that nobody registered has told nobody anything.
    if life.isOpen {
      endpoint.close()
      closePromise.fail(ChannelError.ioOnClosedChannel)
    }
  }

  // MARK: Channel

  final var eventLoop: any NIOCore.EventLoop { loop }
  final var pipeline: ChannelPipeline { ownPipeline }
  final var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
  final var _channelCore: any ChannelCore { self }
  final var syncOptions: (any NIOSynchronousChannelOptions)? { SynchronousOptions(channel: self) }
  final var isActive: Bool { activeFlag.load(ordering: .relaxed) }
  final var localAddress: NIOCore.SocketAddress? { shown.withLock { $0.local } }
  final var remoteAddress: NIOCore.SocketAddress? { shown.withLock { $0.remote } }
  final var allocator: ByteBufferAllocator {
    get { shown.withLock { $0.allocator } }
    set { shown.withLock { $0.allocator = newValue } }
  }
  var isWritable: Bool { true }

  // MARK: Names

  func localAddress0() throws -> NIOCore.SocketAddress {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    guard let address = NIOCore.SocketAddress(endpoint.localAddress) else { throw ChannelError.unknownLocalAddress }
    return address
  }

  func remoteAddress0() throws -> NIOCore.SocketAddress {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    guard let address = NIOCore.SocketAddress(endpoint.remoteAddress) else {
      throw NIOCore.IOError(errnoCode: ErrorNumber.notConnected, reason: "getpeername")
    }
    return address
  }

  /// Show the addresses that the socket has now.
  final func noteAddresses() {
    let (local, remote) = (NIOCore.SocketAddress(endpoint.localAddress), NIOCore.SocketAddress(endpoint.remoteAddress))
    shown.withLock { ($0.local, $0.remote) = (local, remote) }
  }

  private final func forgetAddresses() { shown.withLock { ($0.local, $0.remote) = (nil, nil) } }

  // MARK: Beginning

  final func register0(promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    guard life.isOpen else { return fail(promise, ChannelError.ioOnClosedChannel) }
    guard loop.isOpen else {
      pipeline.syncOperations.fireErrorCaught(NIOCore.EventLoopError.shutdown)
      close0(error: NIOCore.EventLoopError.shutdown, mode: .all, promise: nil)
      return fail(promise, NIOCore.EventLoopError.shutdown)
    }
    guard life.register() else { return fail(promise, ChannelError.inappropriateOperationForState) }
    endpoint.begin()
    endpoint.owner = self
    number = loop.add(self)
    promise?.succeed(())
    pipeline.syncOperations.fireChannelRegistered()
  }

  final func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    let registered = loop.makePromise(of: Void.self)
    registered.futureResult.cascadeFailure(to: promise)
    registered.futureResult.whenFailure { _ in self.close(promise: nil) }
    let wasFresh = !life.isRegistered
    register0(promise: registered)
    guard wasFresh else { return }
    noteAddresses()
    // A handler may have closed it by now. Then the promise fails here, unless the registration has failed it.
    becomeActive0(promise: promise)
  }

  final func becomeActive0(promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    guard life.activate() else {
      return fail(promise, life.isOpen ? ChannelError.inappropriateOperationForState : .ioOnClosedChannel)
    }
    activeFlag.store(true, ordering: .relaxed)
    promise?.succeed(())
    guard life.finishActivating() else { return }
    pipeline.syncOperations.fireChannelActive()
    guard life.isOpen else { return }
    flushNow()
    readIfNeeded0()
  }

  func bind0(to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    guard life.isOpen else { return fail(promise, ChannelError.ioOnClosedChannel) }
    complete(promise) {
      try inNIOsWords { try endpoint.bind(to: try address.forLoops()) }
      noteAddresses()
    }
  }

  func connect0(to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    if mayConnect(promise) { connectFailed(ChannelError.operationUnsupported, promise) }
  }

  /// Return whether a connect is in order; the promise fails if it is not.
  final func mayConnect(_ promise: EventLoopPromise<Void>?) -> Bool {
    loop.assertInEventLoop()
    if !life.isOpen {
      fail(promise, ChannelError.ioOnClosedChannel)
    } else if pendingConnect != nil {
      fail(promise, ChannelError.connectPending)
    } else if !life.isRegistered {
      fail(promise, ChannelError.inappropriateOperationForState)
    } else {
      return true
    }
    return false
  }

  /// Close a channel that could not connect; the close fails the promise.
  final func connectFailed(_ error: any Error, _ promise: EventLoopPromise<Void>?) {
    pendingConnect = promise
    close0(error: error, mode: .all, promise: nil)
  }

  // MARK: Reading

  func read0() {
    loop.assertInEventLoop()
    guard life.isOpen else { return }
    readPending = true
    if life.isActive { awaitInput() }
  }

  /// Ask for input through the pipeline if nobody has and the channel does so by itself. Returns `true` if input is
  /// awaited.
  @discardableResult
  func readIfNeeded0() -> Bool {
    guard life.isActive else { return false }
    if !readPending && autoRead { pipeline.syncOperations.read() }
    return readPending
  }

  func awaitInput() {}

  func inputIsThere() {}

  func peerHasEnded() {}

  func outputIsPossible(_ result: Int) {}

  func peerHasGone() {}

  // MARK: Writing

  func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
    fail(promise, life.isOpen ? ChannelError.operationUnsupported : .ioOnClosedChannel)
  }
  func flush0() {}
  func flushNow() {}
  func failWrites(_ error: any Error) {}

  // MARK: Ending

  func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    guard life.isOpen else { return fail(promise, ChannelError.alreadyClosed) }
    guard mode == .all else { return fail(promise, ChannelError.operationUnsupported) }
    guard let end = life.close() else { return }
    endpoint.close()
    if let number { loop.remove(number) }
    activeFlag.store(false, ordering: .relaxed)
    failWrites(error)
    if let connecting = pendingConnect {
      pendingConnect = nil
      connecting.fail(error)
    }
    promise?.succeed(())
    if end.tellsInactive { pipeline.syncOperations.fireChannelInactive() }
    if end.tellsUnregistered { pipeline.syncOperations.fireChannelUnregistered() }
    let leave: @Sendable () -> Void = {
      self.removeHandlers(pipeline: self.pipeline)
      self.closePromise.succeed(())
      self.forgetAddresses()
    }
    loop.execute(leave)
  }

  func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
    fail(promise, ChannelError.operationUnsupported)
  }

  func channelRead0(_ data: NIOAny) {}
  func errorCaught0(error: any Error) {}

  // MARK: Options

  func set<Option: ChannelOption>(_ option: Option, to value: Option.Value) throws {
    loop.assertInEventLoop()
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    switch option {
    case let option as ChannelOptions.Types.SocketOption:
      try SocketOptions.set(option, value as Any, on: endpoint)
    case is ChannelOptions.Types.AllocatorOption: allocator = value as! ByteBufferAllocator
    case is ChannelOptions.Types.RecvAllocatorOption:
      receiveBuffers.recvAllocator = value as! any RecvByteBufferAllocator
    case is ChannelOptions.Types.AutoReadOption: setAutoRead(value as! Bool)
    case is ChannelOptions.Types.MaxMessagesPerReadOption:
      let count = value as! UInt
      guard count > 0 else {
        throw NIOCore.IOError(
          errnoCode: ErrorNumber.invalidArgument, reason: "maxMessagesPerRead is 0. Give at least 1.")
      }
      maxMessagesPerRead = count
      receiveBuffers.updateCapacity(to: Int(clamping: min(count, 64)))
    default: throw UnsupportedOption(option: "\(option)")
    }
  }

  func get<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
    loop.assertInEventLoop()
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    switch option {
    case let option as ChannelOptions.Types.SocketOption:
      return try SocketOptions.get(option, on: endpoint) as! Option.Value
    case is ChannelOptions.Types.AllocatorOption: return allocator as! Option.Value
    case is ChannelOptions.Types.RecvAllocatorOption: return receiveBuffers.recvAllocator as! Option.Value
    case is ChannelOptions.Types.AutoReadOption: return autoRead as! Option.Value
    case is ChannelOptions.Types.MaxMessagesPerReadOption: return maxMessagesPerRead as! Option.Value
    default: throw UnsupportedOption(option: "\(option)")
    }
  }
}

@_spi(Channels) internal import AsyncIO
internal import NIOCore

/// A listening channel: it reads channels.
final class ListenerChannel: BaseChannel, @unchecked Sendable {
  private let socket: ChannelSocket
  private let children: any EventLoopGroup
  /// What is set; nil is NIO's 128, or what a socket that is taken has.
  private var backlog: Int32?

  init(_ socket: ChannelSocket, children: any EventLoopGroup, loop: AsyncIOEventLoop) {
    self.socket = socket
    self.children = children
    super.init(socket, parent: nil, loop: loop)
  }

  override var isWritable: Bool { false }

  override func bind0(to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    loop.assertInEventLoop()
    guard life.isOpen else { return fail(promise, ChannelError.ioOnClosedChannel) }
    guard life.isRegistered else { return fail(promise, ChannelError.inappropriateOperationForState) }
    do {
      try inNIOsWords {
        try socket.bind(to: try address.forLoops())
        try socket.listen(backlog: backlog ?? 128)
      }
    } catch {
      return fail(promise, error)
    }
    noteAddresses()
    becomeActive0(promise: promise)
  }

  /// Let a channel over a socket that listens already begin.
  func beginTaken() -> EventLoopFuture<Void> {
    guard let backlog else { return beginConfigured() }
    return loop.makeCompletedFuture { try inNIOsWords { try socket.listen(backlog: backlog) } }
      .flatMap { self.beginConfigured() }
  }

  // MARK: Accepting

  override func awaitInput() { socket.awaitConnection() }

  override func inputIsThere() {
    loop.assertInEventLoop()
    guard life.isActive, readPending else { return }
    accept()
    guard life.isOpen else { return }
    if readPending { socket.awaitConnection() } else { socket.stopAwaitingInput() }
  }

  private func accept() {
    var hasAccepted = false
    for _ in 0..<maxMessagesPerRead {
      guard life.isOpen else { return }
      let accepted: ChannelSocket.Accepted
      do {
        guard let next = try socket.takeConnection() else { break }
        accepted = next
        hasAccepted = true
      } catch {
        hasAccepted = true
        guard acceptFailed(NIOCore.IOError(error)) else { return }
        break
      }
      readPending = false
      let loop = AsyncIOEventLoop.of(children.next()) ?? loop
      let child = StreamChannel(ChannelSocket(accepted, on: loop.base), parent: self, loop: loop)
      pipeline.syncOperations.fireChannelRead(NIOAny(child))
    }
    if hasAccepted && life.isActive { pipeline.syncOperations.fireChannelReadComplete() }
    readIfNeeded0()
  }

  /// Tell the handlers. Returns `false` if the channel is closed: it goes on after what concerns one connection, and
  /// after what passes.
  private func acceptFailed(_ error: NIOCore.IOError) -> Bool {
    pipeline.syncOperations.fireErrorCaught(error)
    if error.errnoCode == ErrorNumber.connectionAborted || ErrorNumber.shortages.contains(error.errnoCode) {
      return life.isOpen
    }
    if life.isOpen { close0(error: error, mode: .all, promise: nil) }
    return false
  }

  /// Let an accepted channel begin, once the handlers of this one have seen it.
  override func channelRead0(_ data: NIOAny) {
    loop.assertInEventLoop()
    // A handler may have made something else of the channel; that is then its own to begin.
    guard let child = tryUnwrapData(data, as: StreamChannel.self) else { return }
    child.loop.execute { child.beginAccepted() }
  }

  // MARK: Options

  override func set<Option: ChannelOption>(_ option: Option, to value: Option.Value) throws {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    if option is ChannelOptions.Types.BacklogOption {
      backlog = (value as! Int32)
    } else {
      try super.set(option, to: value)
    }
  }

  override func get<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
    guard life.isOpen else { throw ChannelError.ioOnClosedChannel }
    return option is ChannelOptions.Types.BacklogOption ? (backlog ?? 128) as! Option.Value : try super.get(option)
  }
}

extension StreamChannel {
  /// Register an accepted channel and make it active. In its loop's thread.
  func beginAccepted() {
    register().assumeIsolated().flatMapThrowing {
      guard self.life.isOpen else { throw ChannelError.ioOnClosedChannel }
      self.noteAddresses()
      self.becomeActive0(promise: nil)
    }.whenFailure { _ in self.close(promise: nil) }
  }
}

extension AsyncIOEventLoop {
  /// The loop as what it is; nil for loops of other makes.
  static func of(_ loop: any NIOCore.EventLoop) -> AsyncIOEventLoop? { loop as? AsyncIOEventLoop }
}

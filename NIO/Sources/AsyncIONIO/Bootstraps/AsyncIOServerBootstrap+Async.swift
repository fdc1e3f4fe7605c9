public import NIOCore

// Listening channels as sequences of what their clients' channels were made into, in the spelling of NIO's bootstrap.

extension AsyncIOServerBootstrap {
  /// What holds back the accepting of connections: how many may wait in the sequence.
  public typealias BackPressure = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark

  /// Listen on a host, by name or literal, and a port; 0 lets the system choose one.
  ///
  /// - Parameters:
  ///   - serverBackPressureStrategy: NIO's default if it is nil.
  ///   - childChannelInitializer: prepares each accepted channel, after the bootstrap's own initializer, in the thread
  ///     of the channel's loop. What it returns is an element of the channel's `inbound`. A connection whose
  ///     initializer fails is closed, and the sequence goes on.
  public func bind<Output: Sendable>(
    host: String, port: Int, serverBackPressureStrategy: BackPressure? = nil,
    childChannelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> NIOAsyncChannel<Output, Never> {
    let loop = nextLoop
    return try await Lookup.addresses(of: host, port: port, on: loop)
      .flatMap { bind(.address($0[0]), on: loop, serverBackPressureStrategy, childChannelInitializer) }
      .get()
  }

  /// Listen on an address.
  public func bind<Output: Sendable>(
    to address: NIOCore.SocketAddress, serverBackPressureStrategy: BackPressure? = nil,
    childChannelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> NIOAsyncChannel<Output, Never> {
    try await bind(.address(address), on: nextLoop, serverBackPressureStrategy, childChannelInitializer).get()
  }

  /// Listen on the path of a Unix socket.
  ///
  /// - Parameter cleanupExistingSocketFile: first remove a socket that is there and that no program has any more. One
  ///   that a program has stays, and the bind fails; NIO's would take its path away.
  public func bind<Output: Sendable>(
    unixDomainSocketPath path: String, cleanupExistingSocketFile: Bool = false,
    serverBackPressureStrategy: BackPressure? = nil,
    childChannelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> NIOAsyncChannel<Output, Never> {
    let loop = nextLoop
    guard cleanupExistingSocketFile else {
      let address = try NIOCore.SocketAddress(unixDomainSocketPath: path)
      return try await bind(.address(address), on: loop, serverBackPressureStrategy, childChannelInitializer).get()
    }
    return try await StaleFile.remove(path: path, on: loop)
      .flatMap { bind(.address($0), on: loop, serverBackPressureStrategy, childChannelInitializer) }
      .get()
  }

  /// Listen on a stream socket that is bound already, see ``withBoundSocket(_:)``.
  ///
  /// - Parameter cleanupExistingSocketFile: without effect, as with NIO's.
  public func bind<Output: Sendable>(
    _ socket: NIOBSDSocket.Handle, cleanupExistingSocketFile: Bool = false,
    serverBackPressureStrategy: BackPressure? = nil,
    childChannelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> NIOAsyncChannel<Output, Never> {
    try await bind(.socket(socket), on: nextLoop, serverBackPressureStrategy, childChannelInitializer).get()
  }

  private func bind<Output: Sendable>(
    _ place: Place, on loop: any NIOCore.EventLoop, _ strategy: BackPressure?,
    _ initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<NIOAsyncChannel<Output, Never>> {
    bringUp(place, on: loop) { channel in
      let pipeline = channel.pipeline.syncOperations
      // An error of one connection must not end the sequence.
      try pipeline.addHandlers([AcceptPause(forwardsErrors: false), acceptHandler, OutputHandler(initializer)])
      return try NIOAsyncChannel(
        wrappingChannelSynchronously: channel,
        configuration: .init(backPressureStrategy: strategy ?? .init(lowWatermark: 2, highWatermark: 10)))
    }
  }
}

/// Makes an element of each accepted channel. The listening channel hands it on, and the channel begins.
///
/// The sequence takes its elements at the end of a read. What is prepared on another loop has missed the end of its own
/// read, so each element brings one.
private final class OutputHandler<Output: Sendable>: ChannelInboundHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = Output

  private let initializer: @Sendable (any Channel) -> EventLoopFuture<Output>

  init(_ initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>) { self.initializer = initializer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let child = unwrapInboundIn(data) as? StreamChannel else { return context.fireChannelRead(data) }
    let made =
      child.loop.inEventLoop ? initializer(child) : child.loop.flatSubmit { [initializer] in initializer(child) }
    made.hop(to: context.eventLoop).assumeIsolated().whenComplete { result in
      guard case .success(let output) = result, context.channel.isActive else { return child.close(promise: nil) }
      context.fireChannelRead(self.wrapInboundOut(output))
      context.fireChannelReadComplete()
      child.loop.execute { child.beginAccepted() }
    }
  }
}

@_spi(Channels) internal import AsyncIO
public import NIOCore

/// Makes connected channels on loops of `AsyncIO`, in the spelling of NIO's `ClientBootstrap`. For libraries that take
/// any bootstrap it is a `NIOClientTCPBootstrapProtocol`.
///
/// A value, for any thread. A call returns a bootstrap with the setting; the one it was called on stays as it was.
public struct AsyncIOClientBootstrap: NIOClientTCPBootstrapProtocol, Sendable {
  private let group: any EventLoopGroup
  private var options = ChannelOptions.Storage()
  private var initializer: (@Sendable (any Channel) -> EventLoopFuture<Void>)?
  private var timeout = TimeAmount.seconds(10)
  private var local: NIOCore.SocketAddress?
  private var resolver: (any AsyncIOResolver & Sendable)?
  private var usesMPTCP = false

  /// Create a bootstrap. The next loop of the group has the channel: an ``AsyncIOEventLoop`` or an
  /// ``AsyncIOEventLoopGroup``.
  public init(group: any EventLoopGroup) {
    self.group = group
    options.append(key: .tcpOption(.tcp_nodelay), value: 1)
  }

  /// Create a bootstrap. Returns nil unless all loops of the group are ``AsyncIOEventLoop``s.
  public init?(validatingGroup group: any EventLoopGroup) {
    guard group.isOfOurLoops else { return nil }
    self.init(group: group)
  }

  /// Prepare the channel before it is registered: add its handlers.
  public func channelInitializer(
    _ handler: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
  ) -> Self {
    with { $0.initializer = handler }
  }

  /// Add handlers before those of the initializer, which goes on.
  public func protocolHandlers(_ handlers: @escaping @Sendable () -> [any ChannelHandler]) -> Self {
    with { bootstrap in
      let former = bootstrap.initializer
      bootstrap.initializer = { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(handlers(), position: .first)
        }.flatMap { former?(channel) ?? channel.eventLoop.makeSucceededVoidFuture() }
      }
    }
  }

  /// Set an option of the channel. `TCP_NODELAY` is set on TCP unless it is set to 0 here.
  public func channelOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> Self {
    with { $0.options.append(key: option, value: value) }
  }

  public func _applyChannelConvenienceOptions(_ options: inout ChannelOptions.TCPConvenienceOptions) -> Self {
    var bootstrap = self
    if options.consumeAllowLocalEndpointReuse().isSet {
      bootstrap = bootstrap.channelOption(.socketOption(.so_reuseaddr), value: 1)
    }
    if options.consumeAllowRemoteHalfClosure().isSet {
      bootstrap = bootstrap.channelOption(.allowRemoteHalfClosure, value: true)
    }
    if options.consumeDisableAutoRead().isSet { bootstrap = bootstrap.channelOption(.autoRead, value: false) }
    return bootstrap
  }

  /// How long a connect may take; 10 s if it is not set.
  public func connectTimeout(_ timeout: TimeAmount) -> Self { with { $0.timeout = timeout } }

  /// Look hosts up with a resolver of the program's; nil for the loop's own, which asks the system.
  public func resolver(_ resolver: (any AsyncIOResolver & Sendable)?) -> Self { with { $0.resolver = resolver } }

  /// Connect with TCP over several paths (RFC 8684). The connect fails if the system cannot; with `ChannelError`
  /// `.operationUnsupported` where the platform has none. As with NIO's, `TCP_NODELAY` is not set then, because older
  /// systems refuse it, unless it is set after this call. A socket that is taken stays what it is.
  public func enableMPTCP(_ value: Bool) -> Self {
    with {
      $0.usesMPTCP = value
      if value { $0.options.remove(key: .tcpOption(.tcp_nodelay)) }
    }
  }

  /// Connect from an address of this machine.
  public func bind(to address: NIOCore.SocketAddress) -> Self { with { $0.local = address } }

  private func with(_ change: (inout Self) -> Void) -> Self {
    var copy = self
    change(&copy)
    return copy
  }

  // MARK: Connecting

  /// Connect to a host, by name or literal: to the first of its addresses that answers (RFC 8305). The next one is
  /// tried when one has failed, or has not answered within 250 ms; the families take turns. Fails with
  /// ``AsyncIOConnectionError``; with `ChannelError.connectTimeout` if the look-up and all attempts take longer than
  /// ``connectTimeout(_:)`` says.
  public func connect(host: String, port: Int) -> EventLoopFuture<any Channel> {
    connectToHost(host, port) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Connect to an address.
  public func connect(to address: NIOCore.SocketAddress) -> EventLoopFuture<any Channel> {
    connect(address, on: group.next()) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Connect to the path of a Unix socket.
  public func connect(unixDomainSocketPath path: String) -> EventLoopFuture<any Channel> {
    do {
      return connect(to: try NIOCore.SocketAddress(unixDomainSocketPath: path))
    } catch {
      return group.next().makeFailedFuture(error)
    }
  }

  /// Use a stream socket, TCP or Unix, that is connected already: it becomes non-blocking. The channel closes it. If
  /// none was made, as for a number that is not such a socket, it stays the caller's. ``bind(to:)`` and
  /// ``connectTimeout(_:)`` are for other calls.
  public func withConnectedSocket(_ socket: NIOBSDSocket.Handle) -> EventLoopFuture<any Channel> {
    take(socket) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// The loop of the next channel.
  var nextLoop: any NIOCore.EventLoop { group.next() }

  /// Connect to the first address of a host that answers.
  ///
  /// - Parameter prepare: comes after the bootstrap's initializer for each channel that is tried, and says what the
  ///   future is to have. In the loop's thread.
  func connectToHost<Output: Sendable>(
    _ host: String, _ port: Int, prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    group.next().onOurLoop { loop in
      // The race has the limit.
      HostRace(host, port, on: loop) { try begin($0, loop, limit: nil, prepare) }
        .run(resolver: resolver, timeout: timeout)
    }
  }

  func connect<Output: Sendable>(
    _ address: NIOCore.SocketAddress, on loop: any NIOCore.EventLoop,
    prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    loop.onOurLoop { loop in try begin(address, loop, limit: timeout, prepare).outcome }
  }

  /// Make the channel and begin to bring it up, in the loop's thread. A channel that cannot be connected is closed.
  private func begin<Output: Sendable>(
    _ address: NIOCore.SocketAddress, _ loop: AsyncIOEventLoop, limit: TimeAmount?,
    _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) throws -> HostRace<Output>.Attempt {
    let remote = try address.forLoops()
    let socket = try inNIOsWords {
      try ChannelSocket.open(for: remote, proto: Multipath.proto(usesMPTCP), on: loop.base)
    }
    let channel = StreamChannel(socket, parent: nil, loop: loop)
    try channel.set(.connectTimeout, to: limit)
    // As with NIO's bootstrap, the address is there before the handlers: they see no bind.
    let bound: ChannelInitializer<Void> = { channel in
      (local.map { channel.bind(to: $0) } ?? loop.makeSucceededVoidFuture())
        .flatMap { initializer?(channel) ?? loop.makeSucceededVoidFuture() }
    }
    let outcome = channel.bringUp(options, bound, prepare: prepare) {
      channel.register().flatMap { channel.connect(to: address) }
    }
    return (channel, outcome)
  }

  /// Make a channel of a socket of the caller's.
  func take<Output: Sendable>(
    _ number: NIOBSDSocket.Handle, _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    group.next().onOurLoop { loop in
      let socket = try inNIOsWords { try ChannelSocket.take(Int32(number), for: .connected, on: loop.base) }
      let channel = StreamChannel(socket, parent: nil, loop: loop)
      return channel.bringUp(options, initializer, prepare: prepare) { channel.beginConfigured() }
    }
  }
}

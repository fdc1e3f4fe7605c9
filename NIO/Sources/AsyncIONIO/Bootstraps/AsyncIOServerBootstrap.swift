@_spi(Channels) internal import AsyncIO
public import NIOCore

/// Makes listening channels on loops of `AsyncIO`, in the spelling of NIO's `ServerBootstrap`.
///
/// ```swift
/// let server = try await AsyncIOServerBootstrap(group: AsyncIOEventLoop.running())
///   .childChannelInitializer { channel in channel.pipeline.configureHTTPServerPipeline() }
///   .bind(host: "127.0.0.1", port: 8080).get()
/// ```
/// A value, for any thread. A call returns a bootstrap with the setting; the one it was called on stays as it was.
public struct AsyncIOServerBootstrap: Sendable {
  private let group: any EventLoopGroup
  private let childGroup: any EventLoopGroup
  private var serverOptions = ChannelOptions.Storage()
  private var childOptions = ChannelOptions.Storage()
  private var serverInitializer: (@Sendable (any Channel) -> EventLoopFuture<Void>)?
  private var childInitializer: (@Sendable (any Channel) -> EventLoopFuture<Void>)?
  private var usesMPTCP = false

  /// Create a bootstrap.
  ///
  /// - Parameters:
  ///   - group: its next loop has the listening channel: an ``AsyncIOEventLoop`` or an ``AsyncIOEventLoopGroup``.
  ///   - childGroup: its loops have the accepted channels, in turns; `group` if it is not given.
  public init(group: any EventLoopGroup, childGroup: (any EventLoopGroup)? = nil) {
    self.group = group
    self.childGroup = childGroup ?? group
    serverOptions.append(key: .socketOption(.so_reuseaddr), value: 1)
    childOptions.append(key: .tcpOption(.tcp_nodelay), value: 1)
  }

  /// Create a bootstrap. Returns nil unless all loops of both groups are ``AsyncIOEventLoop``s.
  public init?(validatingGroup group: any EventLoopGroup, childGroup: (any EventLoopGroup)? = nil) {
    guard group.isOfOurLoops, childGroup?.isOfOurLoops != false else { return nil }
    self.init(group: group, childGroup: childGroup)
  }

  /// Prepare the listening channel before it is registered.
  public func serverChannelInitializer(
    _ initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
  ) -> Self {
    with { $0.serverInitializer = initializer }
  }

  /// Prepare each accepted channel before it is registered: add its handlers.
  public func childChannelInitializer(
    _ initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
  ) -> Self {
    with { $0.childInitializer = initializer }
  }

  /// Set an option of the listening channel. `SO_REUSEADDR` is set unless it is set to 0 here.
  public func serverChannelOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> Self {
    with { $0.serverOptions.append(key: option, value: value) }
  }

  /// Set an option of each accepted channel. `TCP_NODELAY` is set on those of TCP unless it is set to 0 here.
  public func childChannelOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> Self {
    with { $0.childOptions.append(key: option, value: value) }
  }

  /// Return the same bootstrap: a bind does not wait. As with NIO's.
  public func bindTimeout(_ timeout: TimeAmount) -> Self { self }

  /// Listen for TCP over several paths (RFC 8684). The bind fails if the system cannot; with `ChannelError`
  /// `.operationUnsupported` where the platform has none, and for a socket that is taken. As with NIO's, `TCP_NODELAY`
  /// is not set then, because older systems refuse it, unless it is set after this call.
  public func enableMPTCP(_ value: Bool) -> Self {
    with {
      $0.usesMPTCP = value
      if value { $0.childOptions.remove(key: .tcpOption(.tcp_nodelay)) }
    }
  }

  private func with(_ change: (inout Self) -> Void) -> Self {
    var copy = self
    change(&copy)
    return copy
  }

  // MARK: Binding

  /// Listen on a host, by name or literal, and a port; 0 lets the system choose one. The name is looked up without
  /// blocking the loop.
  public func bind(host: String, port: Int) -> EventLoopFuture<any Channel> {
    let loop = group.next()
    return Lookup.addresses(of: host, port: port, on: loop).flatMap { bind(to: $0[0], on: loop) }
  }

  /// Listen on an address.
  public func bind(to address: NIOCore.SocketAddress) -> EventLoopFuture<any Channel> {
    bind(to: address, on: group.next())
  }

  /// Listen on the path of a Unix socket.
  public func bind(unixDomainSocketPath path: String) -> EventLoopFuture<any Channel> {
    do {
      return bind(to: try NIOCore.SocketAddress(unixDomainSocketPath: path))
    } catch {
      return group.next().makeFailedFuture(error)
    }
  }

  /// Listen on the path of a Unix socket.
  ///
  /// - Parameter cleanupExistingSocketFile: first remove a socket that is there and that no program has any more. One
  ///   that a program has stays, and the bind fails; NIO's would take its path away.
  public func bind(
    unixDomainSocketPath path: String, cleanupExistingSocketFile: Bool
  ) -> EventLoopFuture<any Channel> {
    guard cleanupExistingSocketFile else { return bind(unixDomainSocketPath: path) }
    let loop = group.next()
    return StaleFile.remove(path: path, on: loop).flatMap { bind(to: $0, on: loop) }
  }

  /// Listen on a stream socket, TCP or Unix, that is bound already: it becomes non-blocking, and listens if it does not
  /// yet. The channel closes it, and leaves the file of a Unix socket to the program that made it. If no channel was
  /// made, as for a number that is not such a socket, it stays the caller's.
  public func withBoundSocket(_ socket: NIOBSDSocket.Handle) -> EventLoopFuture<any Channel> {
    bind(.socket(socket), on: group.next())
  }

  private func bind(
    to address: NIOCore.SocketAddress, on loop: any NIOCore.EventLoop
  ) -> EventLoopFuture<any Channel> {
    bind(.address(address), on: loop)
  }

  private func bind(_ place: Place, on loop: any NIOCore.EventLoop) -> EventLoopFuture<any Channel> {
    bringUp(place, on: loop) { channel in
      try channel.pipeline.syncOperations.addHandler(AcceptPause())
      try channel.pipeline.syncOperations.addHandler(acceptHandler)
      return channel
    }
  }

  var acceptHandler: AcceptHandler {
    AcceptHandler(childOptions, childInitializer ?? { $0.eventLoop.makeSucceededVoidFuture() })
  }

  /// The loop of the next listening channel.
  var nextLoop: any NIOCore.EventLoop { group.next() }

  /// What to listen on.
  enum Place: Sendable {
    case address(NIOCore.SocketAddress)
    case socket(NIOBSDSocket.Handle)
  }

  /// Make a listening channel and bring it up.
  ///
  /// - Parameter complete: adds the last handlers, and says what the future is to have. In the loop's thread.
  func bringUp<Result: Sendable>(
    _ place: Place, on loop: any NIOCore.EventLoop, complete: @escaping @Sendable (ListenerChannel) throws -> Result
  ) -> EventLoopFuture<Result> {
    loop.onOurLoop { loop in
      let socket = try inNIOsWords { try open(place, on: loop.base) }
      let channel = ListenerChannel(socket, children: childGroup, loop: loop)
      return channel.bringUp(
        serverOptions, serverInitializer, prepare: { _ in loop.makeCompletedFuture { try complete(channel) } }
      ) {
        switch place {
        case .address(let address): channel.register().flatMap { channel.bind(to: address) }
        case .socket: channel.beginTaken()
        }
      }
    }
  }

  private func open(_ place: Place, on loop: BaseEventLoop) throws -> ChannelSocket {
    switch place {
    case .address(let address):
      try ChannelSocket.open(for: try address.forLoops(), proto: Multipath.proto(usesMPTCP), on: loop)
    case .socket where usesMPTCP: throw ChannelError.operationUnsupported
    case .socket(let number): try ChannelSocket.take(Int32(number), for: .listening, on: loop)
    }
  }
}

/// TCP over several paths.
enum Multipath {
  /// The protocol for a socket's family: 0 is the usual one. Throws NIO's error if the platform has no other.
  static func proto(_ isWanted: Bool) throws -> Int32 {
    guard isWanted else { return 0 }
    guard let proto = ChannelSocket.multipathProtocol else { throw ChannelError.operationUnsupported }
    return proto
  }
}

/// A group that these bootstraps have no channels for.
struct ForeignLoop: Error, CustomStringConvertible {
  let loop: String
  var description: String {
    "\(loop) is not an AsyncIOEventLoop. Give the bootstrap an AsyncIOEventLoop or an AsyncIOEventLoopGroup."
  }
}

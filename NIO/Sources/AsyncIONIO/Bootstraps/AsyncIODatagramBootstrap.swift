@_spi(Channels) internal import AsyncIO
public import NIOCore

/// Makes channels for datagrams on loops of `AsyncIO`, in the spelling of NIO's `DatagramBootstrap`.
///
/// ```swift
/// let channel = try await AsyncIODatagramBootstrap(group: AsyncIOEventLoop.running())
///   .channelInitializer { $0.pipeline.addHandler(Answers()) }
///   .bind(host: "127.0.0.1", port: 5353).get()
/// ```
/// They read and write `AddressedEnvelope<ByteBuffer>`. A value, for any thread. A call returns a bootstrap with the
/// setting; the one it was called on stays as it was.
public struct AsyncIODatagramBootstrap: Sendable {
  private let group: any EventLoopGroup
  private var options = ChannelOptions.Storage()
  private var initializer: (@Sendable (any Channel) -> EventLoopFuture<Void>)?
  private var proto = ProtocolSubtype.default

  /// Create a bootstrap. The next loop of the group has the channel: an ``AsyncIOEventLoop`` or an
  /// ``AsyncIOEventLoopGroup``.
  public init(group: any EventLoopGroup) { self.group = group }

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

  /// Set an option of the channel.
  public func channelOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> Self {
    with { $0.options.append(key: option, value: value) }
  }

  /// The protocol of a socket among those of its family, in the spelling of NIO's `NIOBSDSocket.ProtocolSubtype`, which
  /// only `NIOPosix` has.
  public struct ProtocolSubtype: RawRepresentable, Hashable, Sendable {
    /// The system's number.
    public var rawValue: CInt
    /// Create a subtype from the system's number.
    public init(rawValue: CInt) { self.rawValue = rawValue }
    /// Create the subtype of an IP protocol.
    public init(_ protocol: NIOIPProtocol) { rawValue = CInt(`protocol`.rawValue) }
    /// The usual one: UDP for IP.
    public static let `default` = ProtocolSubtype(rawValue: 0)
  }

  /// Make the socket for another protocol than the usual one. One that is not for datagrams, or that the system does
  /// not have, is an error of the bind or the connect. A socket that is taken keeps its own.
  public func protocolSubtype(_ subtype: ProtocolSubtype) -> Self { with { $0.proto = subtype } }

  private func with(_ change: (inout Self) -> Void) -> Self {
    var copy = self
    change(&copy)
    return copy
  }

  // MARK: Binding and connecting

  /// Receive at a host, by name or literal, and a port; 0 lets the system choose one. A name is looked up without
  /// blocking the loop; its first address is taken.
  public func bind(host: String, port: Int) -> EventLoopFuture<any Channel> {
    open(host, port, .bind) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Receive at an address.
  public func bind(to address: NIOCore.SocketAddress) -> EventLoopFuture<any Channel> {
    open(address, .bind) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Receive at the path of a Unix socket. Its file stays when the channel has closed, as with NIO.
  public func bind(unixDomainSocketPath path: String) -> EventLoopFuture<any Channel> {
    open(path: path, .bind) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Receive at the path of a Unix socket.
  ///
  /// - Parameter cleanupExistingSocketFile: first remove a socket that is there and that no program has any more. One
  ///   that a program has stays, and the bind fails; NIO's would take its path away.
  public func bind(
    unixDomainSocketPath path: String, cleanupExistingSocketFile: Bool
  ) -> EventLoopFuture<any Channel> {
    open(path: path, .bind, cleansUp: cleanupExistingSocketFile) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Use a socket for datagrams that is bound already, and may be connected: it becomes non-blocking. The channel
  /// closes it. If none was made, as for a number that is not a socket for datagrams, it stays the caller's.
  public func withBoundSocket(_ socket: NIOBSDSocket.Handle) -> EventLoopFuture<any Channel> {
    take(socket) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Send to a host, by name or literal, and receive from it only.
  public func connect(host: String, port: Int) -> EventLoopFuture<any Channel> {
    open(host, port, .connect) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Send to an address, and receive from it only.
  public func connect(to address: NIOCore.SocketAddress) -> EventLoopFuture<any Channel> {
    open(address, .connect) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Send to the path of a Unix socket.
  public func connect(unixDomainSocketPath path: String) -> EventLoopFuture<any Channel> {
    open(path: path, .connect) { $0.eventLoop.makeSucceededFuture($0) }
  }

  // MARK: Bringing up

  enum Use: Sendable { case bind, connect }

  func open<Output: Sendable>(
    _ host: String, _ port: Int, _ use: Use, prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    let loop = group.next()
    return Lookup.addresses(of: host, port: port, type: .datagram, on: loop)
      .flatMap { open($0[0], use, on: loop, prepare) }
  }

  func open<Output: Sendable>(
    path: String, _ use: Use, cleansUp: Bool = false,
    prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    if cleansUp {
      let loop = group.next()
      return StaleFile.remove(path: path, on: loop).flatMap { open($0, use, on: loop, prepare) }
    }
    do {
      return open(try NIOCore.SocketAddress(unixDomainSocketPath: path), use, prepare: prepare)
    } catch {
      return group.next().makeFailedFuture(error)
    }
  }

  /// Make a channel and bring it up.
  ///
  /// - Parameter prepare: comes after the bootstrap's initializer, and says what the future is to have. In the loop's
  ///   thread.
  func open<Output: Sendable>(
    _ address: NIOCore.SocketAddress, _ use: Use,
    prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    open(address, use, on: group.next(), prepare)
  }

  private func open<Output: Sendable>(
    _ address: NIOCore.SocketAddress, _ use: Use, on loop: any NIOCore.EventLoop,
    _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    loop.onOurLoop { loop in
      let target = try address.forLoops()
      let socket = try inNIOsWords {
        try ChannelDatagramSocket.open(for: target, proto: proto.rawValue, on: loop.base)
      }
      let channel = DatagramChannel(socket, loop: loop)
      return channel.bringUp(options, initializer, prepare: prepare) {
        channel.register().flatMap { use == .bind ? channel.bind(to: address) : channel.connect(to: address) }
      }
    }
  }

  /// Make a channel of a socket of the caller's.
  func take<Output: Sendable>(
    _ number: NIOBSDSocket.Handle, _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    group.next().onOurLoop { loop in
      let socket = try inNIOsWords { try ChannelDatagramSocket.take(Int32(number), on: loop.base) }
      let channel = DatagramChannel(socket, loop: loop)
      return channel.bringUp(options, initializer, prepare: prepare) { channel.beginConfigured() }
    }
  }
}

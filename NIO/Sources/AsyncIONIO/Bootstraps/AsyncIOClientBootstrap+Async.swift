public import NIOCore

// Connections as what their channels were made into, in the spelling of NIO's bootstrap.

extension AsyncIOClientBootstrap {
  /// Connect to a host, by name or literal.
  ///
  /// - Parameter channelInitializer: prepares the channel, after the bootstrap's own initializer, in the thread of its
  ///   loop; again for each address that is tried. What it returns for the address that answered is returned here.
  public func connect<Output: Sendable>(
    host: String, port: Int, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await connectToHost(host, port, prepare: channelInitializer).get()
  }

  /// Connect to an address.
  public func connect<Output: Sendable>(
    to address: NIOCore.SocketAddress, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await connect(address, on: nextLoop, prepare: channelInitializer).get()
  }

  /// Connect to the path of a Unix socket.
  public func connect<Output: Sendable>(
    unixDomainSocketPath path: String,
    channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await connect(
      to: try NIOCore.SocketAddress(unixDomainSocketPath: path), channelInitializer: channelInitializer)
  }

  /// Use a stream socket that is connected already, see ``withConnectedSocket(_:)``. What the initializer returns is
  /// returned here when the channel is active.
  public func withConnectedSocket<Output: Sendable>(
    _ socket: NIOBSDSocket.Handle, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await take(socket, channelInitializer).get()
  }
}

public import NIOCore

// Channels for datagrams as what they were made into, in the spelling of NIO's bootstrap.

extension AsyncIODatagramBootstrap {
  /// Receive at a host, by name or literal, and a port; 0 lets the system choose one.
  ///
  /// - Parameter channelInitializer: prepares the channel, after the bootstrap's own initializer, in the thread of its
  ///   loop. What it returns is returned here when the channel is bound.
  public func bind<Output: Sendable>(
    host: String, port: Int, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await open(host, port, .bind, prepare: channelInitializer).get()
  }

  /// Receive at an address.
  public func bind<Output: Sendable>(
    to address: NIOCore.SocketAddress, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await open(address, .bind, prepare: channelInitializer).get()
  }

  /// Receive at the path of a Unix socket.
  ///
  /// - Parameter cleanupExistingSocketFile: first remove a socket that is there and that no program has any more. One
  ///   that a program has stays, and the bind fails; NIO's would take its path away.
  public func bind<Output: Sendable>(
    unixDomainSocketPath path: String, cleanupExistingSocketFile: Bool = false,
    channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await open(path: path, .bind, cleansUp: cleanupExistingSocketFile, prepare: channelInitializer).get()
  }

  /// Use a socket for datagrams that is bound already, see ``withBoundSocket(_:)``. What the initializer returns is
  /// returned here when the channel is active.
  public func withBoundSocket<Output: Sendable>(
    _ socket: NIOBSDSocket.Handle, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await take(socket, channelInitializer).get()
  }

  /// Send to a host, by name or literal, and receive from it only. What the initializer returns is returned here when
  /// the channel is connected.
  public func connect<Output: Sendable>(
    host: String, port: Int, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await open(host, port, .connect, prepare: channelInitializer).get()
  }

  /// Send to an address, and receive from it only.
  public func connect<Output: Sendable>(
    to address: NIOCore.SocketAddress, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await open(address, .connect, prepare: channelInitializer).get()
  }

  /// Send to the path of a Unix socket.
  public func connect<Output: Sendable>(
    unixDomainSocketPath path: String,
    channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await open(path: path, .connect, prepare: channelInitializer).get()
  }
}

internal import AsyncIONIO
public import GRPCNIOTransportHTTP2
public import NIOCore
internal import NIOSSL
internal import ServerConnections

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Makes the listening channel of a gRPC server on a loop. Programs make an ``AsyncIOServerTransport``.
public struct LoopListenerFactory: HTTP2ServerTransport.ListenerFactory {
  private let address: GRPCNIOTransportCore.SocketAddress
  private let security: ServerSecurity
  let connections = OpenConnections()
  /// The loop of the listener and of its connections.
  public let eventLoopGroup: any EventLoopGroup

  /// Other loops listen on the port as well.
  var sharesPort = false
  /// The listener that chooses the port for all; nil: this one.
  var first: HTTP2ServerTransport.Custom<LoopListenerFactory>?

  init(
    _ address: GRPCNIOTransportCore.SocketAddress, _ loop: any NIOCore.EventLoop, _ security: ServerSecurity
  ) {
    (self.address, eventLoopGroup, self.security) = (address, loop, security)
  }

  /// Listen. gRPC's transport calls it, once.
  public func makeListeningChannel(
    listenerConfigurator: HTTP2ServerTransport.ListenerConfigurator,
    connectionConfigurator: HTTP2ServerTransport.ConnectionConfigurator
  ) async throws -> NIOAsyncChannel<HTTP2ServerTransport.ConnectionConfigurator.ConnectionChannel, Never> {
    let context = try security.context()
    let tls = security.forConnections
    var bootstrap = AsyncIOServerBootstrap(group: eventLoopGroup)
      .serverChannelInitializer { [connections] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(connections.makeHandler(for: channel))
        }
        .flatMap { listenerConfigurator.configure(channel: channel) }
      }
    if sharesPort {
      let option = ChannelOptions.Types.SocketOption(level: .socket, name: .init(rawValue: SO_REUSEPORT))
      bootstrap = bootstrap.serverChannelOption(option, value: 1)
    }

    let prepare:
      @Sendable (any Channel) -> EventLoopFuture<HTTP2ServerTransport.ConnectionConfigurator.ConnectionChannel> = {
        channel in
        channel.eventLoop.makeCompletedFuture {
          guard let context else { return }
          try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
        }
        .flatMap { connectionConfigurator.configure(channel: channel, tls: tls) }
      }
    if let path = address.unixDomainSocket?.path {
      return try await bootstrap.bind(
        unixDomainSocketPath: path, cleanupExistingSocketFile: true, childChannelInitializer: prepare)
    }
    let (host, port) = try await hostAndPort()
    return try await bootstrap.bind(host: host, port: port, childChannelInitializer: prepare)
  }

  private func hostAndPort() async throws -> (String, Int) {
    var address = address
    if let first {
      guard let chosen = await first.listeningAddress else { throw FirstListenerFailed() }
      address = chosen
    }
    if let ipv4 = address.ipv4 { return (ipv4.host, ipv4.port) }
    if let ipv6 = address.ipv6 { return (ipv6.host, ipv6.port) }
    throw UnsupportedAddress(address: "\(address)")
  }
}

/// The listener that should have chosen the port could not.
struct FirstListenerFailed: Error {}

/// An address of a family that the loops have no sockets for.
public struct UnsupportedAddress: Error, CustomStringConvertible {
  let address: String
  /// What is wrong and what helps.
  public var description: String { "\(address): the loops have no such sockets. Give IPv4, IPv6 or a Unix path." }
}

public import AsyncIONIO
public import GRPCCore
public import GRPCNIOTransportHTTP2
internal import NIOCore

// A client's transport over one connection on a loop of AsyncIO. gRPC's transport that connects again and chooses among
// servers makes its channels with bootstraps of NIOPosix, and takes no others; this one is what is left of it.

extension HTTP2ClientTransport.WrappedChannel {
  /// Connect to a host, by name or literal, on a loop, and make a client's transport of the connection. There is one
  /// connection: when it is lost, calls fail with `unavailable`, and the next connection is another transport.
  ///
  /// ```swift
  /// let transport = try await HTTP2ClientTransport.WrappedChannel.connected(
  ///   toHost: "127.0.0.1", port: 50051, on: .running())
  /// try await withGRPCClient(transport: transport) { client in … }
  /// ```
  /// Throws what the connect throws.
  ///
  /// - Parameters:
  ///   - security: plain text, or TLS.
  ///   - timeout: how long the connect to one address may take.
  ///   - config: of the connection and its calls; the authority is `host` unless it has one.
  ///   - serviceConfig: how methods are called: their time, their repetition.
  public static func connected(
    toHost host: String, port: Int, on loop: AsyncIOEventLoop, security: ClientSecurity = .plaintext,
    timeout: Duration = .seconds(10), config: Config = .defaults, serviceConfig: ServiceConfig = ServiceConfig()
  ) async throws -> Self {
    let bootstrap = AsyncIOClientBootstrap(group: loop).connectTimeout(TimeAmount(timeout))
    return try await make(security, config, authority: host, serviceConfig) {
      try await bootstrap.connect(host: host, port: port, channelInitializer: $0)
    }
  }

  /// Connect to the path of a Unix socket on a loop, and make a client's transport of the connection. See
  /// ``connected(toHost:port:on:security:timeout:config:serviceConfig:)``.
  public static func connected(
    toUnixPath path: String, on loop: AsyncIOEventLoop, security: ClientSecurity = .plaintext,
    timeout: Duration = .seconds(10), config: Config = .defaults, serviceConfig: ServiceConfig = ServiceConfig()
  ) async throws -> Self {
    let bootstrap = AsyncIOClientBootstrap(group: loop).connectTimeout(TimeAmount(timeout))
    return try await make(security, config, authority: "localhost", serviceConfig) {
      try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: $0)
    }
  }

  private typealias Initializer = @Sendable (any Channel) -> EventLoopFuture<ConfiguredChannel>

  private static func make(
    _ security: ClientSecurity, _ config: Config, authority: String, _ serviceConfig: ServiceConfig,
    _ connect: @Sendable (@escaping Initializer) async throws -> ConfiguredChannel
  ) async throws -> Self {
    var config = config
    config.http2.authority = config.http2.authority ?? authority
    let makeHandler = try security.makeHandler()
    return try await wrapping(config: config, serviceConfig: serviceConfig) { configure in
      try await connect { channel in
        channel.eventLoop.makeCompletedFuture {
          if let handler = try makeHandler?() { try channel.pipeline.syncOperations.addHandler(handler) }
        }
        .flatMap { configure(channel) }
      }
    }
  }
}

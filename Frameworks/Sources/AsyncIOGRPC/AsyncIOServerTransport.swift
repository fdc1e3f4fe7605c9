internal import AsyncIO
public import AsyncIONIO
public import GRPCCore
public import GRPCNIOTransportHTTP2
internal import NIOCore
internal import ServerConnections

/// A gRPC server's transport on loops of AsyncIO: HTTP/2 over TCP or a Unix socket, plain or in TLS.
///
/// ```swift
/// let transport = AsyncIOServerTransport(address: .ipv4(host: "127.0.0.1", port: 50051), on: try .running())
/// let server = GRPCServer(transport: transport, services: [Greeter()])
/// try await server.serve()
/// ```
/// Everything that a call awaits runs in the thread of its connection's loop, the handlers among it. On several loops
/// each has a listener of its own on the same port, and the system deals the connections out. `beginGracefulShutdown`
/// closes the listeners and lets open calls end; cancelling the task that serves cuts them. A connection takes 100
/// calls at a time unless the configuration says otherwise; clients are told. Any thread.
public final class AsyncIOServerTransport: ListeningServerTransport {
  public typealias Bytes = GRPCNIOTransportBytes
  /// What gRPC's own transport is configured with, apart from where it listens.
  public typealias Config = Listener.Config
  /// gRPC's transport over the listener of one loop.
  public typealias Listener = HTTP2ServerTransport.Custom<LoopListenerFactory>

  private struct Member: Sendable {
    let loop: AsyncIOEventLoop
    let transport: Listener
    let connections: OpenConnections

    init(_ loop: AsyncIOEventLoop, _ factory: LoopListenerFactory, _ config: Config) {
      self.loop = loop
      connections = factory.connections
      transport = Listener(listenerFactory: factory, config: config.sayingLimit)
    }
  }

  private let members: [Member]

  /// Create a transport that listens on one loop.
  ///
  /// - Parameters:
  ///   - address: IPv4, IPv6 or the path of a Unix socket. Port 0 lets the system choose one; see ``listeningAddress``.
  ///   - security: plain text, or TLS.
  public init(
    address: GRPCNIOTransportCore.SocketAddress, on loop: AsyncIOEventLoop, security: ServerSecurity = .plaintext,
    config: Config = .defaults
  ) {
    members = [Member(loop, LoopListenerFactory(address, loop, security), config)]
  }

  /// Create a transport that listens on every loop of a group. A Unix socket cannot be shared: the first loop has it.
  public init(
    address: GRPCNIOTransportCore.SocketAddress, on group: AsyncIOEventLoopGroup,
    security: ServerSecurity = .plaintext, config: Config = .defaults
  ) {
    var loops = group.makeIterator().compactMap { $0 as? AsyncIOEventLoop }
    if address.unixDomainSocket != nil { loops = Array(loops.prefix(1)) }
    var members: [Member] = []
    for loop in loops {
      var factory = LoopListenerFactory(address, loop, security)
      factory.sharesPort = loops.count > 1
      factory.first = members.first?.transport
      members.append(Member(loop, factory, config))
    }
    self.members = members
  }

  /// Where it listens, as soon as it does. Throws a `RuntimeError` if it has stopped or could not begin.
  public var listeningAddress: GRPCNIOTransportCore.SocketAddress {
    get async throws {
      if let address = await members[0].transport.listeningAddress { return address }
      throw RuntimeError(
        code: .serverIsStopped, message: "the server listens nowhere: it has stopped, or could not begin.")
    }
  }

  public func configure(context: GRPCServerContext) {
    for member in members { member.transport.configure(context: context) }
  }

  public func listen(
    streamHandler:
      @escaping @concurrent @Sendable (_ stream: RPCStream<Inbound, Outbound>, _ context: ServerContext) async -> Void
  ) async throws {
    try await withThrowingDiscardingTaskGroup { tasks in
      for member in members {
        tasks.addTask(executorPreference: member.loop.base.taskExecutor) {
          do {
            try await member.transport.listen(streamHandler: streamHandler)
          } catch is FirstListenerFailed {
            // The first one throws why.
          }
        }
      }
    }
  }

  public func beginGracefulShutdown() {
    for member in members {
      // gRPC's transport tells its connections in the order of their addresses in memory, and in a simulation a seed
      // would not lead to the same run again. So they are told before, in the order in which they came; the second time
      // changes nothing.
      member.connections.quiesce()
      member.transport.beginGracefulShutdown()
    }
  }
}

extension AsyncIOServerTransport.Config {
  /// The same, with a limit of streams that clients are told. Without one `NIOHTTP2` takes a hundred and tells nobody,
  /// and closes the connection of a client that opens one more.
  fileprivate var sayingLimit: Self {
    var copy = self
    copy.http2.maxConcurrentStreams = http2.maxConcurrentStreams ?? 100
    return copy
  }
}

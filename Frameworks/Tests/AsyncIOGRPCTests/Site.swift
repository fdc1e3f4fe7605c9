import AsyncIO
import AsyncIOGRPC
import AsyncIONIO
import GRPCCore
import GRPCNIOTransportHTTP2
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@testable import GRPCEcho

/// Where both sides of a call run: on gRPC's own transports, which are the oracle, or on ours. `wrapped` is gRPC's
/// client of one connection, which is ours as well, on NIO's loops.
enum Site: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case nio, wrapped, selector, poll, proactor

  static let ours: [Site] = [.selector, .poll, .proactor]
  var testDescription: String { rawValue }

  /// Run a server and a client of it. The client's part is over when the body is; then the server is shut down
  /// gracefully, and has to end.
  func call(
    _ services: [any RegistrableRPCService] = [Echo()], threads: Int = 1, tls: Bool = false,
    _ body: @escaping @Sendable (any Calls) async throws -> Void
  ) async throws {
    if self == .nio || self == .wrapped {
      let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
      let server = HTTP2ServerTransport.Posix(
        address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: tls ? Certificate.posixServer() : .plaintext,
        eventLoopGroup: group)
      try await run(server, services) { port in
        try HTTP2ClientTransport.Posix(
          target: .dns(host: "localhost", port: port),
          transportSecurity: tls ? Certificate.posixClient() : .plaintext, eventLoopGroup: group)
      } body: {
        try await body($0)
      }
      try await group.shutdownGracefully()
    } else {
      let group = try AsyncIOEventLoopGroup(numberOfThreads: threads) { try EventLoopKinds.make(rawValue) }
      let server = AsyncIOServerTransport(
        address: .ipv4(host: "127.0.0.1", port: 0), on: group,
        security: try tls ? .tls(Certificate.server()) : .plaintext)
      try await run(server, services) { port in
        let loop = try #require(group.next() as? AsyncIOEventLoop)
        return try await HTTP2ClientTransport.WrappedChannel.connected(
          toHost: "localhost", port: port, on: loop,
          security: try tls ? .tls(Certificate.client(), serverName: "localhost") : .plaintext)
      } body: {
        try await body($0)
      }
      try await group.shutdownGracefully()
    }
  }

  private static func wrapped(
    _ port: Int, _ group: any EventLoopGroup, _ context: NIOSSLContext?
  ) async throws -> HTTP2ClientTransport.WrappedChannel {
    var config = HTTP2ClientTransport.WrappedChannel.Config.defaults
    config.http2.authority = "localhost"
    return try await .wrapping(config: config) { configure in
      try await ClientBootstrap(group: group).connect(host: "localhost", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let context else { return }
          try channel.pipeline.syncOperations.addHandler(
            try NIOSSLClientHandler(context: context, serverHostname: "localhost"))
        }
        .flatMap { configure(channel) }
      }
    }
  }

  private func run<Client: ClientTransport>(
    _ transport: some ListeningServerTransport, _ services: [any RegistrableRPCService],
    connect: @Sendable (Int) async throws -> Client,
    body: @Sendable (any Calls) async throws -> Void
  ) async throws {
    let server = GRPCServer(transport: transport, services: services)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await server.serve() }
      let port = try #require(try await transport.listeningAddress.ipv4?.port)
      try await withGRPCClient(transport: try await connect(port)) { client in
        try await body(Caller(client: client, shutDownServer: { server.beginGracefulShutdown() }))
      }
      server.beginGracefulShutdown()
      try await tasks.waitForAll()
    }
  }
}

/// The calls of a client, whatever its transport.
protocol Calls: Sendable {
  /// Begin the graceful shutdown of the server.
  var shutDownServer: @Sendable () -> Void { get }

  /// A call with one message and one answer.
  func once(_ method: MethodDescriptor, _ message: [UInt8], _ options: CallOptions) async throws -> [UInt8]

  /// Any call: what is sent, and what is done with what comes.
  func stream(
    _ method: MethodDescriptor, _ options: CallOptions,
    send: @escaping @Sendable (RPCWriter<[UInt8]>) async throws -> Void,
    receive: @escaping @Sendable (RPCAsyncSequence<[UInt8], any Error>) async throws -> Void
  ) async throws
}

extension Calls {
  func once(_ method: MethodDescriptor, _ message: [UInt8]) async throws -> [UInt8] {
    try await once(method, message, .defaults)
  }

  /// All answers to messages.
  func answers(
    _ method: MethodDescriptor, _ messages: [[UInt8]], _ options: CallOptions = .defaults
  ) async throws -> [[UInt8]] {
    let (answers, told) = AsyncStream.makeStream(of: [UInt8].self)
    try await stream(method, options) { output in
      for message in messages { try await output.write(message) }
    } receive: { input in
      for try await answer in input { told.yield(answer) }
      told.finish()
    }
    return await answers.reduce(into: []) { $0.append($1) }
  }
}

struct Caller<Transport: ClientTransport>: Calls {
  let client: GRPCClient<Transport>
  let shutDownServer: @Sendable () -> Void

  func once(_ method: MethodDescriptor, _ message: [UInt8], _ options: CallOptions) async throws -> [UInt8] {
    try await client.unary(
      request: ClientRequest(message: message), descriptor: method, serializer: Plain(), deserializer: Plain(),
      options: options
    ) { try $0.message }
  }

  func stream(
    _ method: MethodDescriptor, _ options: CallOptions,
    send: @escaping @Sendable (RPCWriter<[UInt8]>) async throws -> Void,
    receive: @escaping @Sendable (RPCAsyncSequence<[UInt8], any Error>) async throws -> Void
  ) async throws {
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest { try await send($0) }, descriptor: method, serializer: Plain(),
      deserializer: Plain(), options: options
    ) { try await receive($0.messages) }
  }
}

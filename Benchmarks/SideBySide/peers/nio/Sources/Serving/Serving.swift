// SwiftNIO's echo server as a channel handler, in the way of its own example.
public import NIOCore
import NIOPosix

private final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Serve the port that the last argument names, forever.
public func serve(on group: any EventLoopGroup) async throws {
  guard let port = CommandLine.arguments.last.flatMap(Int.init) else { fatalError("the last argument is a port") }
  let bootstrap = ServerBootstrap(group: group)
    .serverChannelOption(.backlog, value: 4096)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
    }
  try await bootstrap.bind(host: "127.0.0.1", port: port).get().closeFuture.get()
}

import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// Answers the first line of a client, and closes.
private final class Answering: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var applicationProtocol = "none"
  private var got = ""

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted(let agreed) = event as? TLSUserEvent { applicationProtocol = agreed ?? "none" }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    got += String(buffer: unwrapInboundIn(data))
    guard got.hasSuffix("\n") else { return }
    let answer = context.channel.allocator.buffer(string: "\(applicationProtocol): \(got)")
    context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    context.close(promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    announce("failed: \(error)")
    context.close(promise: nil)
  }
}

func serve(_ options: Options, _ group: any EventLoopGroup) async throws {
  let context = try NIOSSLContext(configuration: options.serverConfiguration())
  let server = try await ServerBootstrap(group: group)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: context), Answering())
      }
    }
    .bind(host: "127.0.0.1", port: 0).get()
  announce("listening on \(server.localAddress?.port ?? 0)")
  try await server.closeFuture.get()
}

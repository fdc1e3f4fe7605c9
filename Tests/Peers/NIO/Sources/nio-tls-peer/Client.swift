import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// Sends the question when the handshake is over, and prints what comes.
private final class Asking: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted(let agreed) = event as? TLSUserEvent {
      announce("agreed on \(agreed ?? "none")")
      context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: "question\n")), promise: nil)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    print(String(buffer: unwrapInboundIn(data)), terminator: "")
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    announce("failed: \(error)")
    exit(1)
  }
}

func ask(_ options: Options, _ group: any EventLoopGroup) async throws {
  let context = try NIOSSLContext(configuration: options.clientConfiguration())
  let name = options.required("name")
  guard let port = Int(options.required("port")) else { fatalError("port= is a number") }
  let channel = try await ClientBootstrap(group: group)
    .channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers(
          NIOSSLClientHandler(context: context, serverHostname: name), Asking())
      }
    }
    .connect(host: "127.0.0.1", port: port).get()
  try await channel.closeFuture.get()
}

// SwiftNIO's echo server over TLS as a channel handler, in the way of its own example: `nio_tls CHAIN KEY PORT`. One
// event loop; the settings are NIOSSL's for servers.
import NIOCore
import NIOPosix
import NIOSSL

private final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

let words = CommandLine.arguments
guard words.count == 4, let port = Int(words[3]) else { fatalError("arguments: CHAIN KEY PORT") }
let chain = try NIOSSLCertificate.fromPEMFile(words[1]).map { NIOSSLCertificateSource.certificate($0) }
let key = try NIOSSLPrivateKey(file: words[2], format: .pem)
let context = try NIOSSLContext(
  configuration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key)))
let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: 1))
  .serverChannelOption(.backlog, value: 4096)
  .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
  .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
  .childChannelInitializer { channel in
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: context), Echo())
    }
  }
try await bootstrap.bind(host: "127.0.0.1", port: port).get().closeFuture.get()

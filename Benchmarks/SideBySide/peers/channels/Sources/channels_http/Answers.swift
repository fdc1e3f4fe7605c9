import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOSSL

/// Answers each request with the same body.
private final class Answer: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let body: ByteBuffer
  private let headers: HTTPHeaders

  init(_ body: ByteBuffer) {
    self.body = body
    headers = ["content-type": "text/plain", "content-length": "\(body.readableBytes)"]
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .end = unwrapInboundIn(data) else { return }
    context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    context.write(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// A server's pipeline.
struct Pipeline: Sendable {
  let body: ByteBuffer
  /// Nil for connections without TLS.
  let tls: NIOSSLContext?
  let speaksHTTP2: Bool

  /// - Parameter files: the certificate's chain and its key.
  init(bytes: Int, files: (chain: String, key: String)?, speaksHTTP2: Bool) throws {
    body = bytes == 13 ? ByteBuffer(string: "Hello, world!") : ByteBuffer(repeating: UInt8(ascii: "x"), count: bytes)
    self.speaksHTTP2 = speaksHTTP2
    tls = try files.map { files in
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: try NIOSSLCertificate.fromPEMFile(files.chain).map { .certificate($0) },
        privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
      if speaksHTTP2 { configuration.applicationProtocols = ["h2"] }
      return try NIOSSLContext(configuration: configuration)
    }
  }

  @Sendable func configure(_ channel: any Channel) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      let handlers = channel.pipeline.syncOperations
      if let tls { try handlers.addHandler(NIOSSLServerHandler(context: tls)) }
      guard speaksHTTP2 else {
        try handlers.configureHTTPServerPipeline()
        return try handlers.addHandler(Answer(body))
      }
      _ = try handlers.configureHTTP2Pipeline(
        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
      ) { stream in
        stream.eventLoop.makeCompletedFuture {
          try stream.pipeline.syncOperations.addHandlers(HTTP2FramePayloadToHTTP1ServerCodec(), Answer(body))
        }
      }
    }
  }
}

import NIOCore
import NIOHTTP1

/// Answers each request with its body, after a time of the loop's.
final class HTTPEcho: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let delay: TimeAmount?
  private var body = ByteBuffer()

  init(after delay: TimeAmount? = nil) { self.delay = delay }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head: body.clear()
    case .body(var bytes): body.writeBuffer(&bytes)
    case .end:
      guard let delay else { return answer(context) }
      context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.answer(context) }
    }
  }

  private func answer(_ context: ChannelHandlerContext) {
    guard context.channel.isActive else { return }
    let headers: HTTPHeaders = ["content-length": "\(body.readableBytes)"]
    context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}

/// Sends one request and keeps a promise with the answer's body.
final class HTTPRequest: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private let body: String
  private let answer: EventLoopPromise<String>
  private var text = ""
  private var isDone = false

  init(_ body: String, _ answer: EventLoopPromise<String>) { (self.body, self.answer) = (body, answer) }

  func channelActive(context: ChannelHandlerContext) {
    let headers: HTTPHeaders = ["host": "server", "content-length": "\(body.utf8.count)"]
    context.write(
      wrapOutboundOut(.head(.init(version: .http1_1, method: .POST, uri: "/", headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .body(let bytes): text += String(buffer: bytes)
    case .end:
      end(.success(text))
      context.close(promise: nil)
    default: break
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    end(.failure(error))
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(.failure(ChannelError.eof))
    context.fireChannelInactive()
  }

  private func end(_ result: Result<String, any Error>) {
    if isDone { return }
    isDone = true
    answer.completeWith(result)
  }
}

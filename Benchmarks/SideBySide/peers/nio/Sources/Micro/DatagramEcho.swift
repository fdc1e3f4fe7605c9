import MicroSupport
import NIOCore

final class DatagramEcho: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>
  typealias OutboundOut = AddressedEnvelope<ByteBuffer>

  private var meter: AnswerMeter

  init(_ count: Int) { meter = AnswerMeter(count) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    meter.willAnswer()
    context.writeAndFlush(data, promise: nil)
    if meter.didAnswer() { context.close(promise: nil) }
  }
}

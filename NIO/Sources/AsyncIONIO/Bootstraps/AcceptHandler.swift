internal import NIOCore

/// Sets accepted channels up before the listening channel lets them begin: their options, then their initializer. It is
/// the last handler of the listening channel, so handlers before it see channels that are not set up yet.
final class AcceptHandler: ChannelInboundHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = any Channel

  private let options: ChannelOptions.Storage
  private let initializer: @Sendable (any Channel) -> EventLoopFuture<Void>

  init(_ options: ChannelOptions.Storage, _ initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>) {
    self.options = options
    self.initializer = initializer
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let child = unwrapInboundIn(data) as? StreamChannel else { return context.fireChannelRead(data) }
    let setUp = setUp(child)
    if child.loop === context.eventLoop { return finish(setUp, child, context) }
    finish(setUp.hop(to: context.eventLoop), child, context)
  }

  private func setUp(_ child: StreamChannel) -> EventLoopFuture<Void> {
    let (options, initializer) = (options, initializer)
    let body: @Sendable () -> EventLoopFuture<Void> = {
      options.applyAllChannelOptions(to: child).flatMap { initializer(child) }
    }
    return child.loop.inEventLoop ? body() : child.loop.flatSubmit(body)
  }

  private func finish(_ setUp: EventLoopFuture<Void>, _ child: StreamChannel, _ context: ChannelHandlerContext) {
    setUp.assumeIsolated().whenComplete { result in
      switch result {
      case .success where context.channel.isActive: context.fireChannelRead(self.wrapInboundOut(child))
      case .success: self.refuse(child, ChannelError.ioOnClosedChannel, context)
      case .failure(let error): self.refuse(child, error, context)
      }
    }
  }

  private func refuse(_ child: StreamChannel, _ error: any Error, _ context: ChannelHandlerContext) {
    child.close(promise: nil)
    context.fireErrorCaught(error)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is ChannelShouldQuiesceEvent { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }
}

/// Pauses accepting where the system has no descriptors left: every client that waits would be the same error at once.
final class AcceptPause: ChannelDuplexHandler {
  typealias InboundIn = any Channel
  typealias OutboundIn = any Channel

  private var until: NIODeadline?
  private var timer: Scheduled<Void>?
  private var wantsRead = false
  private let forwardsErrors: Bool

  /// - Parameter forwardsErrors: tell the handlers behind this one of errors of accepting. An asynchronous sequence
  ///   would end with the first.
  init(forwardsErrors: Bool = true) { self.forwardsErrors = forwardsErrors }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? IOError, ErrorNumber.shortages.contains(error.errnoCode) { pause(context) }
    if forwardsErrors || !(error is IOError) { context.fireErrorCaught(error) }
  }

  private func pause(_ context: ChannelHandlerContext) {
    let next = context.eventLoop.now + .seconds(1)
    until = next
    timer?.cancel()
    timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) { self.goOn(context) }
  }

  private func goOn(_ context: ChannelHandlerContext) {
    (until, timer) = (nil, nil)
    guard wantsRead else { return }
    wantsRead = false
    context.read()
  }

  func read(context: ChannelHandlerContext) {
    if let until, context.eventLoop.now < until { wantsRead = true } else { context.read() }
  }

  func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    (timer, wantsRead) = (nil, false)
    context.fireChannelInactive()
  }
}

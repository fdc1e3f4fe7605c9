import NIOCore

/// All that a handler may be called for.
enum Callback: String, CaseIterable, Sendable {
  case added, registered, active, read, readComplete, event, writability, error, inactive, unregistered, removed
  case register, bind, connect, write, flush, askRead, close
}

/// What a handler does when it is called.
enum Deed: String, CaseIterable, Sendable {
  /// Report an error instead of going on, as code that throws does.
  case fails
  /// Go on, and leave the pipeline.
  case leaves
  /// Close the channel, and go on.
  case closes
  /// Close the output, and go on.
  case closesOutput
  /// Write and flush through all of the pipeline, and go on.
  case writes

  struct Trouble: Error {}
}

/// A handler that is called for everything, notes it, and does its deed once, in one of the calls.
final class Acting: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = NIOAny
  typealias OutboundIn = NIOAny

  private let name: String
  private let events: Events
  private let callback: Callback?
  private let deed: Deed
  private var isDone = false

  /// - Parameter callback: in which call; nil is none.
  init(_ name: String, _ events: Events, _ callback: Callback? = nil, _ deed: Deed = .fails) {
    (self.name, self.events, self.callback, self.deed) = (name, events, callback, deed)
  }

  /// Note a call, do the deed if it is due, and go on.
  private func called(
    _ call: Callback, _ context: ChannelHandlerContext, _ detail: String = "", _ promise: EventLoopPromise<Void>? = nil,
    then goOn: () -> Void = {}
  ) {
    events.note("\(name) \(call)\(detail)")
    guard call == callback, !isDone else { return goOn() }
    isDone = true
    switch deed {
    case .fails:
      context.fireErrorCaught(Deed.Trouble())
      // Without its promise a request would be lost.
      if let promise { return promise.fail(Deed.Trouble()) }
    case .leaves:
      goOn()
      let left = context.eventLoop.makePromise(of: Void.self)
      events.watch("leave", left.futureResult)
      context.pipeline.syncOperations.removeHandler(context: context, promise: left)
      return
    case .closes: events.watch("deed", context.channel.closed())
    case .closesOutput: events.watch("deed", context.channel.closed(.output))
    case .writes: events.watch("deed", context.channel.written("deed"))
    }
    events.note("\(name) goes on")
    goOn()
  }

  func handlerAdded(context: ChannelHandlerContext) { called(.added, context) }
  func handlerRemoved(context: ChannelHandlerContext) { called(.removed, context) }
  func channelRegistered(context: ChannelHandlerContext) {
    called(.registered, context) { context.fireChannelRegistered() }
  }
  func channelUnregistered(context: ChannelHandlerContext) {
    called(.unregistered, context) { context.fireChannelUnregistered() }
  }
  func channelActive(context: ChannelHandlerContext) {
    called(.active, context, " \(context.channel.isActive)") { context.fireChannelActive() }
  }
  func channelInactive(context: ChannelHandlerContext) {
    called(.inactive, context, " \(context.channel.isActive)") { context.fireChannelInactive() }
  }
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    called(.read, context) { context.fireChannelRead(data) }
  }
  func channelReadComplete(context: ChannelHandlerContext) {
    called(.readComplete, context) { context.fireChannelReadComplete() }
  }
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    called(.writability, context, " \(context.channel.isWritable)") { context.fireChannelWritabilityChanged() }
  }
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    called(.event, context, " \(event)") { context.fireUserInboundEventTriggered(event) }
  }
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    called(.error, context, " \(Events.name(of: error))") { context.fireErrorCaught(error) }
  }
  func register(context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    called(.register, context, "", promise) { context.register(promise: promise) }
  }
  func bind(context: ChannelHandlerContext, to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    called(.bind, context, "", promise) { context.bind(to: address, promise: promise) }
  }
  func connect(context: ChannelHandlerContext, to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    called(.connect, context, "", promise) { context.connect(to: address, promise: promise) }
  }
  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    called(.write, context, "", promise) { context.write(data, promise: promise) }
  }
  func flush(context: ChannelHandlerContext) { called(.flush, context) { context.flush() } }
  func read(context: ChannelHandlerContext) { called(.askRead, context) { context.read() } }
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    called(.close, context, " \(mode)", promise) { context.close(mode: mode, promise: promise) }
  }
}

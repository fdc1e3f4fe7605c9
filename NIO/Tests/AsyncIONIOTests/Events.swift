import NIOCore
import Testing

/// What happened, in order. Any thread.
final class Events: Sendable {
  private let list = Watched<[String]>([])

  /// Note it; input that was cut into pieces is one note.
  func note(_ event: String) {
    list.change { list in
      if event.hasPrefix("read "), let last = list.last, last.hasPrefix("read ") {
        list[list.count - 1] = "read \(Int(last.dropFirst(5))! + Int(event.dropFirst(5))!)"
      } else if event != "complete" || list.last.map({ !$0.hasPrefix("read ") && $0 != event }) == true {
        list.append(event)
      }
    }
  }

  var all: [String] { list.value }

  /// Note how a promise ends.
  func watch(_ name: String, _ future: EventLoopFuture<Void>) {
    future.whenComplete { result in
      switch result {
      case .success: self.note("\(name) succeeded")
      case .failure(let error): self.note("\(name) failed: \(Self.name(of: error))")
      }
    }
  }

  static func name(of error: any Error) -> String {
    switch error {
    case let error as NIOCore.IOError: "errno \(error.errnoCode)"
    case let error as ChannelError: "\(error)"
    default: "\(type(of: error))"
    }
  }

  /// Wait until an event has happened.
  func wait(
    for event: String, within limit: Duration = .seconds(10), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    await list.wait(for: event, within: limit, sourceLocation: sourceLocation) { $0.contains(event) }
  }

  /// Wait until one of two events has happened.
  func wait(for event: String, orElse other: String, sourceLocation: SourceLocation = #_sourceLocation) async {
    await list.wait(for: "\(event) or \(other)", sourceLocation: sourceLocation) {
      $0.contains(event) || $0.contains(other)
    }
  }
}

/// A handler that notes all that it is told, and does what a test wants on an event.
final class Noting: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer

  let events: Events
  private let act: (String, ChannelHandlerContext) -> Void

  init(_ events: Events, _ act: @escaping (String, ChannelHandlerContext) -> Void = { _, _ in }) {
    (self.events, self.act) = (events, act)
  }

  private func note(_ event: String, _ context: ChannelHandlerContext) {
    events.note(event)
    act(event, context)
  }

  func handlerAdded(context: ChannelHandlerContext) { note("added", context) }
  func handlerRemoved(context: ChannelHandlerContext) { note("removed", context) }
  func channelRegistered(context: ChannelHandlerContext) {
    note("registered", context)
    context.fireChannelRegistered()
  }
  func channelUnregistered(context: ChannelHandlerContext) {
    note("unregistered", context)
    context.fireChannelUnregistered()
  }
  func channelActive(context: ChannelHandlerContext) {
    note("active \(context.channel.isActive)", context)
    context.fireChannelActive()
  }
  func channelInactive(context: ChannelHandlerContext) {
    note("inactive \(context.channel.isActive)", context)
    context.fireChannelInactive()
  }
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    note("read \(unwrapInboundIn(data).readableBytes)", context)
    context.fireChannelRead(data)
  }
  func channelReadComplete(context: ChannelHandlerContext) {
    note("complete", context)
    context.fireChannelReadComplete()
  }
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    note("writable \(context.channel.isWritable)", context)
    context.fireChannelWritabilityChanged()
  }
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    note("event \(event)", context)
    context.fireUserInboundEventTriggered(event)
  }
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    note("error \(Events.name(of: error))", context)
    context.fireErrorCaught(error)
  }
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    note("close \(mode)", context)
    context.close(mode: mode, promise: promise)
  }
}

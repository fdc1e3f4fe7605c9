package import NIOCore
internal import Synchronization

// The connections of a listener, to be told of a shutdown. NIOExtras has a helper for that, which tells them in an
// order that comes from their addresses in memory: in a simulation a seed would then not lead to the same run again.
// Here it is the order in which they came. Any thread.
//
// A connection that is told of a shutdown closes when its last answer is handed over. Closing drops what has not gone
// out by then, which is the end of that answer if its client reads slowly. So a handler beside the transport holds the
// close back until everything has gone, or until the time for the end is over and the rest is cut.

/// The connections of a listener that are open.
package final class OpenConnections: Sendable {
  private struct State {
    var channels: [Int: any Channel] = [:]
    var count = 0
    var listener: (any Channel)?
    var isShuttingDown = false

    var inOrder: [any Channel] { channels.sorted { $0.key < $1.key }.map(\.value) }
  }
  private let state = Mutex(State())

  package init() {}

  /// Make the handler of the listening channel that notes what is accepted.
  package func makeHandler(for listener: any Channel) -> some ChannelHandler {
    state.withLock { $0.listener = listener }
    return Collector(self)
  }

  /// Close the listener, and tell each connection that it is to end as soon as no request is in flight.
  package func shutDown() {
    let listener = state.withLock { $0.listener.take() }
    listener?.close(promise: nil)
    quiesce()
  }

  /// Tell each connection that it is to end, and those that come from now on.
  package func quiesce() {
    let channels = state.withLock { state in
      state.isShuttingDown = true
      return state.inOrder
    }
    for channel in channels { Self.tell(channel, ChannelShouldQuiesceEvent()) }
  }

  /// Close each connection that waits for its client to read, and let none wait from now on.
  package func cut() {
    for channel in state.withLock(\.inOrder) { Self.tell(channel, EndIsOver()) }
  }

  private static func tell(_ channel: any Channel, _ event: some Sendable) {
    channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(event) }
  }

  fileprivate func add(_ channel: any Channel) {
    let (number, isLate) = state.withLock { state in
      state.count += 1
      state.channels[state.count] = channel
      return (state.count, state.isShuttingDown)
    }
    channel.closeFuture.whenComplete { _ in self.state.withLock { $0.channels[number] = nil } }
    if isLate { Self.tell(channel, ChannelShouldQuiesceEvent()) }
  }
}

private final class Collector: ChannelInboundHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = any Channel

  private let connections: OpenConnections

  init(_ connections: OpenConnections) { self.connections = connections }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    connections.add(unwrapInboundIn(data))
    context.fireChannelRead(data)
  }
}

/// The time for the end is over.
private struct EndIsOver: Sendable {}

/// Holds back the close of a connection that was told of a shutdown, until what was written has gone out.
package final class LastWords: ChannelDuplexHandler {
  package typealias InboundIn = ByteBuffer
  package typealias OutboundIn = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  private var holdsBack = false

  package init() {}

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is EndIsOver {
      holdsBack = false
      return context.close(mode: .all, promise: nil)
    }
    if event is ChannelShouldQuiesceEvent { holdsBack = true }
    context.fireUserInboundEventTriggered(event)
  }

  package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard holdsBack, mode == .all else { return context.close(mode: mode, promise: promise) }
    // A write of nothing has gone when all before it have; it fails if the connection is lost meanwhile.
    let gone = context.eventLoop.makePromise(of: Void.self)
    gone.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: .all, promise: promise) }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: gone)
  }
}

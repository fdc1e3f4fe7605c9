internal import NIOCore
internal import Synchronization

// The connections of a listener, to be told of a shutdown. NIOExtras has a helper for that, which tells them in the
// order of their addresses in memory: in a simulation a seed would then not lead to the same run again. Here it is the
// order in which they came. Any thread.

/// The connections of a listener that are open.
final class OpenConnections: Sendable {
  private struct State {
    var channels: [Int: any Channel] = [:]
    var count = 0
    var listener: (any Channel)?
    var isShuttingDown = false
  }
  private let state = Mutex(State())

  /// Make the handler of the listening channel that notes what is accepted.
  func makeHandler(for listener: any Channel) -> some ChannelHandler {
    state.withLock { $0.listener = listener }
    return Collector(self)
  }

  /// Close the listener, and tell each connection that it is to end as soon as no request is in flight.
  func shutDown() {
    let (listener, channels) = state.withLock { state in
      state.isShuttingDown = true
      defer { state.listener = nil }
      return (state.listener, state.channels.sorted { $0.key < $1.key }.map(\.value))
    }
    listener?.close(promise: nil)
    for channel in channels { Self.quiesce(channel) }
  }

  private static func quiesce(_ channel: any Channel) {
    channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
  }

  fileprivate func add(_ channel: any Channel) {
    let (number, isLate) = state.withLock { state in
      state.count += 1
      state.channels[state.count] = channel
      return (state.count, state.isShuttingDown)
    }
    channel.closeFuture.whenComplete { _ in self.state.withLock { $0.channels[number] = nil } }
    if isLate { Self.quiesce(channel) }
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

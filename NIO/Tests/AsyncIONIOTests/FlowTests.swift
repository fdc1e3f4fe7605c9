import NIOCore
import Synchronization
import Testing

/// Bytes in bulk, and what a channel says when it has too many: the same on NIO's channels and on ours.
@Suite("Bytes flow as they do on NIO", .timeLimit(.minutes(2)))
struct FlowTests {
  @Test("A megabyte in many writes arrives whole, each promise is kept in order", arguments: Site.real)
  func bulk(site: Site) async throws {
    try await site.run { channels in
      let (sink, order) = (Sink(), Events())
      let listener = try await channels.listen { channel in try channel.pipeline.syncOperations.addHandler(sink) }
      let channel = try await channels.connect(listener.localAddress!)
      let sizes = [1, 0, 100, 70_000, 3, 200_000, 65_536, 0, 1_000_000, 17]
      try await channels.onLoop(channel) {
        var next = 0
        for (index, size) in sizes.enumerated() {
          let future: EventLoopFuture<Void> = channel.write(
            ByteBuffer(bytes: Numbered.bytes(from: next, size)))
          order.watch("\(index)", future)
          next += size
        }
        channel.flush()
      }
      try await order.wait(for: "\(sizes.count - 1) succeeded")
      try await sink.wait(for: sizes.reduce(0, +))
      #expect(order.all == sizes.indices.map { "\($0) succeeded" })
      #expect(sink.isInOrder)
      try await channel.close()
      try await listener.close()
    }
  }

  @Test("What a handler writes when it is told that the channel takes more goes out at once", arguments: Site.allCases)
  func refill(site: Site) async throws {
    try await site.run { channels in
      let sink = Sink()
      let listener = try await channels.listen { channel in try channel.pipeline.syncOperations.addHandler(sink) }
      let channel = try await channels.connect(listener.localAddress!) { channel in
        try channel.pipeline.syncOperations.addHandler(Refilling(size: 100_000, times: 10))
      }
      try await sink.wait(for: 1_000_000)
      #expect(sink.isInOrder)
      try await channel.close()
      try await listener.close()
    }
  }

  @Test("The water marks: told once each way, and the rest fails at the close", arguments: Site.oursAndSimulation)
  func waterMarks(site: Site) async throws {
    let program: @Sendable (Channels) async throws -> [String] = { channels in
      let events = Events()
      var options = Channels.Options(autoRead: false)
      options.waterMark = .init(low: 100, high: 1000)
      let listener = try await channels.listen(options) { _ in }
      let channel = try await channels.connect(listener.localAddress!, options) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      try await channels.onLoop(channel) {
        for (index, size) in [500, 500, 1, 1].enumerated() {
          events.watch("write \(index)", channel.write(ByteBuffer(repeating: 7, count: size)))
        }
        events.note("flush")
        channel.flush()
        events.note("flushed \(channel.isWritable)")
        // More than a socket takes, from a peer that does not read.
        events.watch("much", channel.writeAndFlush(ByteBuffer(repeating: 7, count: 50_000_000)))
        events.note("much \(channel.isWritable)")
        events.watch("close", channel.closed())
      }
      try await events.wait(for: "removed")
      try await listener.close()
      return events.all
    }
    try await compare(site, program)
  }

  @Test("Buffers of a fixed size are filled before the next one", arguments: Site.allCases)
  func fixedSize(site: Site) async throws {
    try await site.run { channels in
      let sizes = Sizes()
      var options = Channels.Options()
      options.receiveSize = 16
      let listener = try await channels.listen(options) { channel in
        try channel.pipeline.syncOperations.addHandler(sizes)
      }
      let channel = try await channels.connect(listener.localAddress!)
      try await channel.writeAndFlush(ByteBuffer(repeating: 1, count: 95))
      try await sizes.wait(for: 95)
      #expect(sizes.all.allSatisfy { $0 <= 16 })
      try await channel.close()
      try await listener.close()
    }
  }

  @Test("Without auto-read nothing comes until it is asked for, and then once", arguments: Site.allCases)
  func readByHand(site: Site) async throws {
    try await site.run { channels in
      let events = Events()
      let accepted = Accepted()
      let listener = try await channels.listen(Channels.Options(autoRead: false)) { channel in
        try channel.pipeline.syncOperations.addHandler(
          Noting(events) { event, context in if event == "active true" { events.note("\(context.channel.isActive)") } })
        channel.closeFuture.whenComplete { _ in events.note("closed") }
        accepted.channel = channel
      }
      let channel = try await channels.connect(listener.localAddress!)
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await Task.sleep(for: .milliseconds(20))
      #expect(!events.all.contains { $0.hasPrefix("read") })
      accepted.channel?.read()
      try await events.wait(for: "read 5")
      try await channel.writeAndFlush(ByteBuffer(string: "again"))
      try await Task.sleep(for: .milliseconds(20))
      #expect(!events.all.contains("read 10"))
      try await accepted.channel?.setOption(.autoRead, value: true).get()
      try await events.wait(for: "read 10")
      try await channel.close()
      try await events.wait(for: "closed")
      try await listener.close()
    }
  }
}

/// Writes more than the high water mark whenever the channel takes it, as HTTP/2 does.
private final class Refilling: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let size: Int
  private var left: Int
  private var next = 0

  init(size: Int, times: Int) { (self.size, left) = (size, times) }

  func channelActive(context: ChannelHandlerContext) { refill(context) }
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { refill(context) }
  }

  private func refill(_ context: ChannelHandlerContext) {
    guard left > 0 else { return }
    left -= 1
    let bytes = ByteBuffer(bytes: (next..<next + size).map { UInt8($0 % 251) })
    next += size
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }
}

/// The channel that was accepted. Any thread.
private final class Accepted: Sendable {
  private let box = Mutex<(any Channel)?>(nil)
  var channel: (any Channel)? {
    get { box.withLock { $0 } }
    set { box.withLock { $0 = newValue } }
  }
}

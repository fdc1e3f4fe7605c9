import AsyncIO
import AsyncIONIO
import Glibc
import NIOCore
import NIOPosix
import Testing

/// What travels with datagrams: the same program on NIO's channels and on ours.
@Suite("Metadata of datagrams", .timeLimit(.minutes(2)))
struct MetadataTests {
  static let hosts = ["127.0.0.1", "::1"]
  static let states: [NIOExplicitCongestionNotificationState] = [
    .transportNotCapable, .transportCapableFlag0, .transportCapableFlag1, .congestionExperienced,
  ]

  @Test("Congestion, destination and interface, as they are asked for", arguments: hosts, [true, false])
  func reports(host: String, isConnected: Bool) async throws {
    try await compare { channels in
      let notes = Events()
      let receiver = try await channels.bindDatagrams(try NIOCore.SocketAddress(ipAddress: host, port: 0)) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingMetadata(notes))
      }
      let address = receiver.localAddress!
      let sender =
        isConnected
        ? try await channels.connectDatagrams(address)
        : try await channels.bindDatagrams(try NIOCore.SocketAddress(ipAddress: host, port: 0))
      var count = 0
      for (congestion, packetInfo) in [(false, false), (true, false), (true, true), (false, true)] {
        try await receiver.setOption(.explicitCongestionNotification, value: congestion).get()
        try await receiver.setOption(.receivePacketInfo, value: packetInfo).get()
        notes.note("\(try await receiver.getOption(.explicitCongestionNotification).get())")
        notes.note("\(try await receiver.getOption(.receivePacketInfo).get())")
        // NIO's channels have metadata of defaults once anything was asked for.
        guard congestion || packetInfo else { continue }
        for state in Self.states {
          count += 1
          let data = ByteBuffer(repeating: 0, count: count)
          try await sender.writeAndFlush(
            Envelope(remoteAddress: address, data: data, metadata: .init(ecnState: state)))
          try await notes.wait(for: "\(count) bytes")
        }
      }
      // Without metadata, and then a plain buffer.
      try await sender.writeAndFlush(Envelope(remoteAddress: address, data: ByteBuffer(repeating: 0, count: 100)))
      try await notes.wait(for: "100 bytes")
      if isConnected {
        try await sender.writeAndFlush(ByteBuffer(repeating: 0, count: 101))
        try await notes.wait(for: "101 bytes")
      }
      try await sender.close()
      try await receiver.close()
      return notes.all
    }
  }

  @Test("An envelope goes back as it came", arguments: hosts)
  func echo(host: String) async throws {
    try await compare { channels in
      let (server, client) = (Events(), Events())
      let any = try NIOCore.SocketAddress(ipAddress: host, port: 0)
      let receiver = try await channels.bindDatagrams(any) { channel in
        try channel.pipeline.syncOperations.addHandlers(NotingMetadata(server, answers: true))
      }
      let sender = try await channels.bindDatagrams(any) { channel in
        try channel.pipeline.syncOperations.addHandlers(NotingMetadata(client))
      }
      for channel in [receiver, sender] {
        try await channel.setOption(.explicitCongestionNotification, value: true).get()
        try await channel.setOption(.receivePacketInfo, value: true).get()
      }
      try await sender.writeAndFlush(
        Envelope(
          remoteAddress: receiver.localAddress!, data: ByteBuffer(string: "hello"),
          metadata: .init(ecnState: .congestionExperienced)))
      try await client.wait(for: "5 bytes")
      try await sender.close()
      try await receiver.close()
      return server.all + client.all
    }
  }

  @Test("Segments of one message, and of all", arguments: hosts, [true, false])
  func segments(host: String, ofAll: Bool) async throws {
    try await compare { channels in
      let (notes, own) = (Events(), Events())
      let any = try NIOCore.SocketAddress(ipAddress: host, port: 0)
      let receiver = try await channels.bindDatagrams(any) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingMetadata(notes))
      }
      let sender = try await channels.bindDatagrams(any)
      own.note("\(try await sender.getOption(.datagramSegmentSize).get())")
      if ofAll { try await sender.setOption(.datagramSegmentSize, value: 1000).get() }
      own.note("\(try await sender.getOption(.datagramSegmentSize).get())")
      let metadata = ofAll ? nil : Envelope.Metadata(ecnState: .transportNotCapable, packetInfo: nil, segmentSize: 1000)
      try await sender.writeAndFlush(
        Envelope(
          remoteAddress: receiver.localAddress!, data: ByteBuffer(repeating: 0, count: 3001), metadata: metadata))
      try await notes.wait(for: "1 bytes")
      try await sender.close()
      try await receiver.close()
      return notes.all + own.all
    }
  }

  @Test("Segments that are received together", arguments: hosts)
  func receiveOffload(host: String) async throws {
    try await compare { channels in
      let (notes, own) = (Events(), Events())
      let any = try NIOCore.SocketAddress(ipAddress: host, port: 0)
      var options = Channels.DatagramOptions()
      options.receiveSize = 65_535
      let receiver = try await channels.bindDatagrams(any, options) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingMetadata(notes))
      }
      own.note("\(try await receiver.getOption(.datagramReceiveOffload).get())")
      try await receiver.setOption(.datagramReceiveOffload, value: true).get()
      try await receiver.setOption(.datagramReceiveSegmentSize, value: true).get()
      own.note("\(try await receiver.getOption(.datagramReceiveOffload).get())")
      own.note("\(try await receiver.getOption(.datagramReceiveSegmentSize).get())")
      let sender = try await channels.bindDatagrams(any)
      for (count, size) in [(3000, 1000), (100, nil)] {
        try await sender.writeAndFlush(
          Envelope(
            remoteAddress: receiver.localAddress!, data: ByteBuffer(repeating: 0, count: count),
            metadata: .init(ecnState: .transportNotCapable, packetInfo: nil, segmentSize: size)))
      }
      try await notes.wait(for: "100 bytes")
      try await sender.close()
      try await receiver.close()
      return notes.all + own.all
    }
  }

  // MARK: What goes wrong

  @Test("A Unix socket has no metadata")
  func unix() async throws {
    try await compare { channels in
      let path = "/tmp/asyncio-nio-metadata-\(channels.site)-\(UInt32.random(in: 0...UInt32.max))"
      defer { unlink(path) }
      let channel = try await channels.bindDatagrams(try NIOCore.SocketAddress(unixDomainSocketPath: path))
      let events = Events()
      try await channels.onLoop(channel) {
        events.watch("congestion", channel.setOption(.explicitCongestionNotification, value: true))
        events.watch("info", channel.setOption(.receivePacketInfo, value: true))
        events.watch("segments", channel.setOption(.datagramSegmentSize, value: 100))
        events.watch("offload", channel.setOption(.datagramReceiveOffload, value: true))
        events.watch("get", channel.getOption(.explicitCongestionNotification).map { _ in })
      }
      try await channel.close()
      return events.all
    }
  }

  @Test("Sizes out of range are errors", arguments: Site.ours, [-1, 65_536, Int.max, .min])
  func sizes(site: Site, size: Int) async throws {
    try await site.run { channels in
      let channel = try await channels.bindDatagrams()
      let envelope = Envelope(
        remoteAddress: channel.localAddress!, data: ByteBuffer(string: "hello"),
        metadata: .init(ecnState: .transportNotCapable, packetInfo: nil, segmentSize: size))
      await #expect { try await channel.writeAndFlush(envelope) } throws: {
        ($0 as? NIOCore.IOError)?.errnoCode == EINVAL
      }
      await #expect(throws: (any Error).self) {
        try await channel.setOption(.datagramSegmentSize, value: CInt(clamping: size)).get()
      }
      #expect(channel.isActive)
      try await channel.close()
    }
  }

  @Test("More segments than the system sends at once fail the write")
  func tooManySegments() async throws {
    try await compare { channels in
      let events = Events()
      let channel = try await channels.bindDatagrams()
      let envelope = Envelope(
        remoteAddress: channel.localAddress!, data: ByteBuffer(repeating: 0, count: 60_000),
        metadata: .init(ecnState: .transportNotCapable, packetInfo: nil, segmentSize: 1))
      try await channels.onLoop(channel) { events.watch("write", channel.writeAndFlush(envelope)) }
      await events.wait(for: "write succeeded", orElse: "write failed: errno \(EINVAL)")
      try? await channel.close()
      return events.all
    }
  }

  @Test("A simulated network has no metadata: options and writes are errors with a text")
  func simulated() async throws {
    try await Site.simulation.run { channels in
      let channel = try await channels.bindDatagrams()
      let options: [@Sendable () -> EventLoopFuture<Void>] = [
        { channel.setOption(.explicitCongestionNotification, value: true) },
        { channel.setOption(.receivePacketInfo, value: true) },
        { channel.setOption(.datagramSegmentSize, value: 100) },
        { channel.setOption(.datagramReceiveOffload, value: true) },
        { channel.setOption(.datagramReceiveSegmentSize, value: true) },
        { channel.getOption(.datagramSegmentSize).map { _ in } },
      ]
      for option in options {
        await #expect { try await option().get() } throws: { "\($0)".contains("simulated") }
      }
      let marked = Envelope(
        remoteAddress: channel.localAddress!, data: ByteBuffer(), metadata: .init(ecnState: .congestionExperienced))
      await #expect { try await channel.writeAndFlush(marked) } throws: { "\($0)".contains("Leave it out") }
      try await channel.close()
    }
  }
}

/// Notes what comes with datagrams, and sends them back if a test wants it.
private final class NotingMetadata: ChannelInboundHandler {
  typealias InboundIn = Envelope
  typealias OutboundOut = Envelope

  private let events: Events
  private let answers: Bool

  init(_ events: Events, answers: Bool = false) { (self.events, self.answers) = (events, answers) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let envelope = unwrapInboundIn(data)
    let state = envelope.metadata.map { "\($0.ecnState), \($0.segmentSize ?? 0)" }
    let place = envelope.metadata?.packetInfo.map { info in
      "to \(info.destinationAddress.ipAddress!):\(info.destinationAddress.port!) by \(info.interfaceIndex)"
    }
    events.note("\(state ?? "no metadata"), \(place ?? "to an address")")
    events.note("\(envelope.data.readableBytes) bytes")
    if answers { context.writeAndFlush(wrapOutboundOut(envelope), promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    events.note("error \(Events.name(of: error))")
  }
}

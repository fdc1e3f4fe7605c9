import AsyncIO
import AsyncIONIO
import AsyncIOSimulation
import Glibc
import NIOCore
import Testing

/// Files in the output: where the system sends them, and in simulated worlds, where the channel reads them.
@Suite("Files are sent in their place", .timeLimit(.minutes(2)))
struct FileRegionTests {
  private static let size = 600_000

  /// Write bytes, a part of a file and bytes again; the sink counts on.
  private static func send(_ file: TemporaryFile, to channel: any Channel, _ events: Events) async throws {
    let region = FileRegion(fileHandle: file.handle, readerIndex: 100, endIndex: size)
    try await channel.eventLoop.submit {
      let first: EventLoopFuture<Void> = channel.write(ByteBuffer(bytes: Numbered.bytes(from: 0, 100)))
      let second: EventLoopFuture<Void> = channel.write(region)
      let third: EventLoopFuture<Void> = channel.write(
        ByteBuffer(bytes: Numbered.bytes(from: size, 70_000)))
      events.watch("first", first)
      events.watch("file", second)
      events.watch("third", third)
      channel.flush()
    }.get()
    try await channel.closeFuture.get()
  }

  @Test("Between buffers, and each promise in order", arguments: Site.real)
  func between(site: Site) async throws {
    try await site.run { channels in
      let file = try TemporaryFile(Self.size)
      let (sink, events) = (Sink(), Events())
      let listener = try await channels.listen { channel in
        try channel.pipeline.syncOperations.addHandler(ClosesAfter(sink, Self.size + 70_000))
      }
      let channel = try await channels.connect(listener.localAddress!)
      try await Self.send(file, to: channel, events)
      #expect(sink.isInOrder && sink.count == Self.size + 70_000)
      #expect(events.all == ["first succeeded", "file succeeded", "third succeeded"])
      try await listener.close()
    }
  }

  @Test("The same in a simulated world", arguments: [false, true])
  func simulated(hasFaults: Bool) async throws {
    let report = try await simulate(seeds: 0..<3, faults: hasFaults ? .mild : .none) { world in
      let (sink, events) = (Sink(), Events())
      world.host("server").start {
        let listener = try await AsyncIOServerBootstrap(group: AsyncIOEventLoop.running())
          .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
              try channel.pipeline.syncOperations.addHandler(ClosesAfter(sink, Self.size + 70_000))
            }
          }
          .bind(host: "10.0.0.1", port: 80).get()
        try? await sleep(for: .seconds(1_000_000))
        try await listener.close()
      }
      try await world.host("client").run {
        try await sleep(for: .seconds(10))
        let file = try TemporaryFile(Self.size)
        do {
          let channel = try await AsyncIOClientBootstrap(group: AsyncIOEventLoop.running())
            .connect(host: "10.0.0.1", port: 80).get()
          try await Self.send(file, to: channel, events)
        } catch is AsyncIOConnectionError where hasFaults {
          return
        }
        try world.require(sink.isInOrder, "the bytes came in another order")
        // A network with faults may lose the connection.
        if hasFaults && sink.count < Self.size + 70_000 { return }
        try world.require(sink.count == Self.size + 70_000, "\(sink.count) bytes came")
        let expected = ["first succeeded", "file succeeded", "third succeeded"]
        try world.require(events.all == expected, "\(events.all)")
      }
    }
    #expect(report.seeds == 3)
  }

  /// Send more than the file has. NIO's channel would try for ever.
  private static func sendTooMuch(_ channel: any Channel, _ events: Events) async throws {
    let file = try TemporaryFile(1000)
    try await channel.eventLoop.submit {
      let write: EventLoopFuture<Void> = channel.writeAndFlush(
        FileRegion(fileHandle: file.handle, readerIndex: 0, endIndex: 2000))
      events.watch("file", write)
    }.get()
    try await channel.closeFuture.get()
  }

  @Test("A file that is shorter than its region fails the write and closes the channel", arguments: Site.ours)
  func tooShort(site: Site) async throws {
    try await site.run { channels in
      let events = Events()
      let listener = try await channels.listen { _ in }
      let channel = try await channels.connect(listener.localAddress!)
      try await Self.sendTooMuch(channel, events)
      #expect(events.all == ["file failed: errno \(EIO)"])
      try await listener.close()
    }
  }

  @Test("The same in a simulated world, and a channel that closes while a block is read")
  func simulatedFailures() async throws {
    let report = try await simulate(seeds: 0..<3, faults: .none) { world in
      let loop = try AsyncIOEventLoop.running()
      let listener = try await AsyncIOServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 80).get()
      let events = Events()
      let channel = try await AsyncIOClientBootstrap(group: loop).connect(host: "127.0.0.1", port: 80).get()
      try await Self.sendTooMuch(channel, events)
      try world.require(events.all == ["file failed: errno \(EIO)"], "\(events.all)")

      let file = try TemporaryFile(Self.size)
      let other = try await AsyncIOClientBootstrap(group: loop).connect(host: "127.0.0.1", port: 80).get()
      try await loop.submit {
        let write: EventLoopFuture<Void> = other.writeAndFlush(
          FileRegion(fileHandle: file.handle, readerIndex: 0, endIndex: Self.size))
        events.watch("unfinished", write)
        events.watch("close", other.closed())
      }.get()
      try await other.closeFuture.get()
      try world.require(
        events.all.dropFirst() == ["unfinished failed: I/O on closed channel", "close succeeded"], "\(events.all)")
      try await listener.close()
    }
    #expect(report.seeds == 3)
  }

  @Test("A file that is closed", arguments: Site.ours)
  func closedFile(site: Site) async throws {
    let program: @Sendable (Channels) async throws -> [String] = { channels in
      let events = Events()
      let listener = try await channels.listen { _ in }
      let channel = try await channels.connect(listener.localAddress!) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      let file = try TemporaryFile(1000)
      try file.handle.close()
      try await channels.onLoop(channel) {
        let write: EventLoopFuture<Void> = channel.writeAndFlush(
          FileRegion(fileHandle: file.handle, readerIndex: 0, endIndex: 1000))
        events.watch("file", write)
      }
      try await events.wait(for: "removed")
      try await listener.close()
      return events.all
    }
    try await compare(site, program)
  }
}

/// A file without a name, whose bytes are numbered by their position.
final class TemporaryFile: Sendable {
  let handle: NIOFileHandle

  init(_ size: Int) throws {
    let file = tmpfile()!
    let bytes = Array(Numbered.bytes(from: 0, size))
    try #require(fwrite(bytes, 1, size, file) == size && fflush(file) == 0)
    let number = dup(fileno(file))
    fclose(file)
    handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: number)
  }

  deinit { try? handle.close() }
}

/// Gives what comes to a sink, and closes the channel after `count` bytes.
final class ClosesAfter: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  private let sink: Sink
  private let count: Int

  init(_ sink: Sink, _ count: Int) { (self.sink, self.count) = (sink, count) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    sink.channelRead(context: context, data: data)
    if sink.count >= count { context.close(promise: nil) }
  }
}

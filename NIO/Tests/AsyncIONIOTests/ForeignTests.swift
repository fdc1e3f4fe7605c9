import AsyncIONIO
import NIOCore
import NIOPosix
import Testing

/// What crosses between loops: promises of another loop, calls of other threads, futures that hop.
@Suite("Promises of other loops are kept in their own threads", .timeLimit(.minutes(1)))
struct ForeignTests {
  /// Whose promise a channel is given: of its loop, of another loop of the group, of a loop of NIO's own.
  enum Owner: String, CaseIterable, Sendable { case same, other, nio }

  /// Run a program with the loop of each owner.
  private func withOwners(
    _ program:
      @escaping @Sendable (Channels, Owner, any NIOCore.EventLoop, any NIOCore.EventLoop) async throws ->
      [String]
  ) async throws {
    let nio = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    try await compare(threads: 2) { channels in
      var all: [String] = []
      let (own, other) = (channels.group.next(), channels.group.next())
      for owner in Owner.allCases {
        let foreign = owner == .same ? own : owner == .other ? other : nio.next()
        all += ["-- \(owner)"] + (try await program(Channels(site: channels.site, group: own), owner, own, foreign))
      }
      return all
    }
    try await nio.shutdownGracefully()
  }

  @Test("Register, bind, connect, write and close with promises of other loops")
  func everyPromise() async throws {
    try await withOwners { channels, _, own, foreign in
      let (server, client, child, answers) = (Events(), Events(), Events(), Events())
      let listener = try await channels.listen(
        server: { try $0.pipeline.syncOperations.addHandler(Exchanging(foreign, server)) },
        child: { try $0.pipeline.syncOperations.addHandlers(Exchanging(foreign, child), Echo()) })
      let options = Channels.Options(local: Channels.anyPort)
      let channel = try await channels.connect(listener.localAddress!, options) { channel in
        try channel.pipeline.syncOperations.addHandlers(Exchanging(foreign, client), Noting(answers))
      }
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await child.wait(for: "write succeeded true")
      let promise = foreign.makePromise(of: Void.self)
      client.watch("own write", promise.futureResult)
      channel.writeAndFlush(ByteBuffer(string: "again"), promise: promise)
      try await client.wait(for: "own write succeeded")
      try await answers.wait(for: "read 10")
      try await channel.close()
      try await listener.close()
      // From here on each promise fails.
      let late = foreign.makePromise(of: Void.self)
      channel.writeAndFlush(ByteBuffer(string: "late"), promise: late)
      client.watch("late", late.futureResult)
      try await client.wait(for: "late failed: I/O on closed channel")
      try await client.wait(for: "close succeeded true")
      try await server.wait(for: "close succeeded true")
      // The promises of different loops are kept in no common order.
      return [server, client, child].flatMap { Set($0.all).subtracting(["close succeeded true"]).sorted() }
    }
  }

  @Test("Writes of other threads arrive in their order")
  func writesElsewhere() async throws {
    try await withOwners { channels, owner, own, foreign in
      let sink = Sink()
      let listener = try await channels.listen { try $0.pipeline.syncOperations.addHandler(sink) }
      let channel = try await channels.connect(listener.localAddress!)
      let sizes = (0..<50).map { $0 * 37 }
      let write: @Sendable () -> EventLoopFuture<Void> = {
        var next = 0
        var last = channel.eventLoop.makeSucceededVoidFuture()
        for size in sizes {
          last = channel.write(ByteBuffer(bytes: Numbered.bytes(from: next, size)))
          if size % 3 == 0 { channel.flush() }
          next += size
        }
        channel.flush()
        return last
      }
      try await foreign.flatSubmit { write() }.get()
      let total = sizes.reduce(0, +)
      try await sink.wait(for: total)
      try await channel.close()
      try await listener.close()
      return ["\(sink.count == total) \(sink.isInOrder)"]
    }
  }

  @Test("Futures hop, chain and gather across loops")
  func hopping() async throws {
    try await withOwners { _, _, own, foreign in
      let events = Events()
      let start = foreign.makePromise(of: Int.self)
      let end = start.futureResult
        .map { value in
          events.note("map \(foreign.inEventLoop)")
          return value + 1
        }
        .hop(to: own)
        .flatMap { value in
          events.note("flatMap \(own.inEventLoop)")
          return foreign.submit { value + 1 }
        }
        .map { value in
          events.note("back \(own.inEventLoop)")
          return value
        }
      let failing = foreign.submit { () -> Int in throw Deed.Trouble() }
      let both = end.and(foreign.scheduleTask(in: .milliseconds(1)) { 7 }.futureResult)
      let all = EventLoopFuture.whenAllComplete([end, failing, own.submit { 3 }], on: foreign).map { results in
        events.note("all \(foreign.inEventLoop) \(results.map { (try? $0.get()) ?? -1 })")
      }
      own.execute { start.succeed(1) }
      let pair = try await both.get()
      try await all.get()
      let rescued = try await failing.hop(to: own).flatMapErrorThrowing { _ in own.inEventLoop ? 1 : 0 }.get()
      return events.all + ["\(pair) \(rescued)"]
    }
  }
}

/// Gives each request a promise of another loop, which keeps the one it came with.
private final class Exchanging: ChannelOutboundHandler {
  typealias OutboundIn = NIOAny
  private let foreign: any NIOCore.EventLoop
  private let events: Events

  init(_ foreign: any NIOCore.EventLoop, _ events: Events) { (self.foreign, self.events) = (foreign, events) }

  private func exchange(_ name: String, _ promise: EventLoopPromise<Void>?) -> EventLoopPromise<Void> {
    let (loop, events, other) = (foreign, events, foreign.makePromise(of: Void.self))
    other.futureResult.whenComplete { result in
      let word = (try? result.get()) == nil ? "failed" : "succeeded"
      events.note("\(name) \(word) \(loop.inEventLoop)")
    }
    if let promise { other.futureResult.cascade(to: promise) }
    return other
  }

  func register(context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    context.register(promise: exchange("register", promise))
  }
  func bind(context: ChannelHandlerContext, to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    context.bind(to: address, promise: exchange("bind", promise))
  }
  func connect(context: ChannelHandlerContext, to address: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
    context.connect(to: address, promise: exchange("connect", promise))
  }
  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    context.write(data, promise: exchange("write", promise))
  }
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    context.close(mode: mode, promise: exchange("close", promise))
  }
}

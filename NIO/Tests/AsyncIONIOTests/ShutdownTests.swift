import AsyncIO
import AsyncIONIO
import NIOCore
import Synchronization
import Testing

/// The end of loops and of groups: whatever was asked of them before, at the same moment or afterwards is answered.
@Suite("Nothing is lost when loops end", .timeLimit(.minutes(1)))
struct ShutdownTests {
  @Test("A request at the moment of the end keeps its promise", arguments: Site.ours)
  func atTheEnd(site: Site) async throws {
    for _ in 0..<30 {
      let group = try site.makeGroup()
      let loop = group.next()
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        for _ in 0..<2 { tasks.addTask { await Self.askUntilTheEnd(loop) } }
        tasks.addTask { try await group.shutdownGracefully() }
        try await tasks.waitForAll()
      }
    }
  }

  /// Ask in each way, until an answer is that the loop has ended; each has an answer.
  private static func askUntilTheEnd(_ loop: any NIOCore.EventLoop) async {
    while true {
      var results: [Result<Int, any Error>] = []
      var asked: [EventLoopFuture<Int>] = []
      for _ in 0..<8 {
        let executed = loop.makePromise(of: Int.self)
        loop.execute { executed.succeed(1) }
        asked += [
          loop.submit { 2 }, loop.flatSubmit { loop.makeSucceededFuture(3) }, executed.futureResult,
          loop.scheduleTask(in: .nanoseconds(1)) { 4 }.futureResult, loop.makeSucceededFuture(5).map { $0 },
          loop.flatScheduleTask(in: .nanoseconds(1)) { loop.submit { 6 } }.futureResult,
        ]
      }
      for future in asked { results.append(await Task { try await future.get() }.result) }
      if results.contains(where: { if case .failure = $0 { true } else { false } }) { return }
    }
  }

  @Test("Channels of each kind close with their group, as NIO's do")
  func channels() async throws {
    let expected = try await Self.shutDown(.nio)
    for site in Site.ours {
      for (seen, expected) in zip(try await Self.shutDown(site), expected) { #expect(seen == expected, "\(site)") }
    }
  }

  /// Shut a group down that has channels in several states. Returns what each was told.
  private static func shutDown(_ site: Site) async throws -> [[String]] {
    let (group, others) = (try site.makeGroup(2), try site.makeGroup())
    let channels = Channels(site: site, group: group)
    // The other ends must not end with them.
    let peers = Channels(site: site, group: others)
    let all = (0..<4).map { _ in Events() }
    let listener = try await channels.listen(
      server: { channel in
        all[0].watch("closeFuture", channel.closeFuture)
        try channel.pipeline.syncOperations.addHandler(Acting("listener", all[0]))
      },
      child: { channel in
        all[1].watch("closeFuture", channel.closeFuture)
        try channel.pipeline.syncOperations.addHandler(Acting("accepted", all[1]))
      })
    _ = try await peers.connect(listener.localAddress!)
    let sink = try await peers.listen(Channels.Options(autoRead: false)) { _ in }
    let client = try await channels.connect(sink.localAddress!) { channel in
      all[2].watch("closeFuture", channel.closeFuture)
      try channel.pipeline.syncOperations.addHandler(Acting("client", all[2]))
    }
    _ = try await channels.bindDatagrams { channel in
      all[3].watch("closeFuture", channel.closeFuture)
      try channel.pipeline.syncOperations.addHandler(Acting("datagrams", all[3]))
    }
    try await all[1].wait(for: "accepted active true")
    // More than the system takes: it waits, and fails.
    try await client.eventLoop.submit {
      all[2].watch("write", client.writeAndFlush(ByteBuffer(repeating: 7, count: 20_000_000)))
      all[2].watch("end of output", client.closed(.output))
    }.get()
    try await group.shutdownGracefully()
    try await others.shutdownGracefully()
    return all.map(\.all)
  }

  @Test("Channels close with a loop that nobody has shut down", arguments: [true, false])
  func withoutShutdown(isSelector: Bool) async throws {
    let events = Events()
    let (channel, pending) = try await AsyncIO.run(
      loopFactory: { isSelector ? try SelectorEventLoop() : try ProactorEventLoop() }
    ) {
      let loop = try AsyncIOEventLoop.running()
      let listener = try await AsyncIOServerBootstrap(group: loop).childChannelOption(.autoRead, value: false)
        .bind(host: "127.0.0.1", port: 0).get()
      let channel = try await AsyncIOClientBootstrap(group: loop)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            events.watch("closeFuture", channel.closeFuture)
            try channel.pipeline.syncOperations.addHandler(Noting(events))
          }
        }
        .connect(to: listener.localAddress!).get()
      let pending: EventLoopFuture<Void> = channel.writeAndFlush(ByteBuffer(repeating: 7, count: 20_000_000))
      return (channel, pending)
    }
    await #expect(throws: ChannelError.ioOnClosedChannel) { try await pending.get() }
    #expect(!channel.isActive)
    #expect(
      events.all.suffix(5) == ["close all", "inactive false", "unregistered", "removed", "closeFuture succeeded"])
  }

  @Test("Afterwards each request fails", arguments: Site.ours)
  func afterwards(site: Site) async throws {
    let (group, events) = (try site.makeGroup(), Events())
    let loop = group.next()
    let waiting = loop.scheduleTask(in: .hours(1)) {}
    let repeated = loop.scheduleRepeatedTask(initialDelay: .hours(1), delay: .hours(1)) { _ in }
    try await group.shutdownGracefully()
    let channels = Channels(site: site, group: group)
    let requests: [(String, EventLoopFuture<Void>)] = [
      ("waiting", waiting.futureResult), ("submit", loop.submit {}),
      ("flatSubmit", loop.flatSubmit { loop.makeSucceededVoidFuture() }),
      ("scheduleTask", loop.scheduleTask(in: .zero) {}.futureResult),
      ("flatScheduleTask", loop.flatScheduleTask(in: .zero) { loop.makeSucceededVoidFuture() }.futureResult),
    ]
    for (name, future) in requests {
      await #expect(throws: NIOCore.EventLoopError.shutdown, "\(name)") { try await future.get() }
    }
    loop.execute { events.note("execute \(loop.inEventLoop)") }
    loop.makeSucceededFuture(1).whenSuccess { _ in events.note("callback \(loop.inEventLoop)") }
    #expect(events.all == ["execute true", "callback true"])
    await #expect(throws: NIOCore.EventLoopError.shutdown) { _ = try await channels.listen { _ in } }
    await #expect(throws: NIOCore.EventLoopError.shutdown) { _ = try await channels.connect(Channels.anyPort) }
    await #expect(throws: NIOCore.EventLoopError.shutdown) { _ = try await channels.bindDatagrams() }
    repeated.cancel()
    try await group.shutdownGracefully()
  }
}

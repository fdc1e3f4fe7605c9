import AsyncIO
import AsyncIONIO
import AsyncIOSimulation
import Glibc
import NIOCore
import Testing

/// Hosts with several addresses. In simulated worlds a host has an IPv6 and an IPv4 address, and time is exact.
@Suite("The first address that answers", .timeLimit(.minutes(1)))
struct HappyEyeballsTests {
  /// Run a program on the host "client", beside a host "server" that listens on some of its addresses.
  private func onClient(
    listening addresses: [String] = [], _ program: @escaping @Sendable (SimulationWorld, Tried) async throws -> Void
  ) async throws {
    let report = try await simulate(seeds: 0..<20, faults: .none) { world in
      world.host("server").start {
        var listeners: [any Channel] = []
        for address in addresses {
          listeners.append(
            try await AsyncIOServerBootstrap(group: AsyncIOEventLoop.running()).bind(host: address, port: 80).get())
        }
        try? await sleep(for: .seconds(1_000_000))
        for listener in listeners { try await listener.close() }
      }
      try await world.host("client").run {
        try await sleep(for: .seconds(10))
        try await program(world, Tried())
      }
    }
    #expect(report.seeds == 20)
  }

  /// The addresses of "server", in the order in which its look-up gives them.
  private static let (v6, v4) = ("fd00::1", "10.0.0.1")

  private static func connect(_ tried: Tried, timeout: TimeAmount = .seconds(10)) async throws -> any Channel {
    try await AsyncIOClientBootstrap(group: AsyncIOEventLoop.running())
      .connectTimeout(timeout)
      .channelInitializer { tried.add($0) }
      .connect(host: "server", port: 80).get()
  }

  @Test("A refused address is followed by the next one at once")
  func refused() async throws {
    try await onClient(listening: [Self.v4]) { world, tried in
      let before = world.now
      let channel = try await Self.connect(tried)
      try world.require(channel.remoteAddress?.ipAddress == Self.v4, "\(channel.remoteAddress as Any)")
      try world.require(world.now - before < .milliseconds(250), "it took \(world.now - before)")
      try world.require(tried.count == 2, "\(tried.count) attempts")
      try await tried.closed(but: channel)
      try await channel.close()
    }
  }

  @Test("A slow address is joined by the next one after 250 ms, and its channel is closed")
  func slow() async throws {
    try await onClient(listening: [Self.v6, Self.v4]) { world, tried in
      tried.delay = .seconds(100)
      let before = world.now
      let channel = try await Self.connect(tried)
      let took = world.now - before
      try world.require(channel.remoteAddress?.ipAddress == Self.v4, "the first one won")
      try world.require(took >= .milliseconds(250) && took < .milliseconds(600), "it took \(took)")
      try await tried.closed(but: channel)
      try world.require(world.now - before < .seconds(1), "the loser was closed late")
      try await channel.close()
    }
  }

  @Test("The error says what each address said")
  func allRefused() async throws {
    try await onClient { world, tried in
      do {
        _ = try await Self.connect(tried)
        world.fail("connected to nobody")
      } catch let error as AsyncIOConnectionError {
        try world.require(error.host == "server" && error.port == 80 && error.lookupError == nil, "\(error)")
        let targets = error.connectionErrors.map { $0.target.ipAddress }
        try world.require(targets == [Self.v6, Self.v4], "\(targets)")
        let areRefused = error.connectionErrors.allSatisfy { ($0.error as? NIOCore.IOError)?.errnoCode == ECONNREFUSED }
        try world.require(areRefused, "\(error)")
      }
      try await tried.closed()
    }
  }

  @Test("The limit is for the look-up and all attempts together")
  func timeout() async throws {
    try await onClient { world, tried in
      world.partition(world.host("client"), world.host("server"))
      let before = world.now
      do {
        _ = try await Self.connect(tried, timeout: .seconds(3))
        world.fail("connected through a cut")
      } catch let error as ChannelError {
        try world.require(error == .connectTimeout(.seconds(3)), "\(error)")
      }
      let took = world.now - before
      try world.require(took >= .seconds(3) && took < .milliseconds(3001), "it took \(took)")
      try world.require(tried.count == 2, "\(tried.count) attempts")
      try await tried.closed()
    }
  }

  @Test("An initializer that fails leaves no channel")
  func initializerFails() async throws {
    try await onClient(listening: [Self.v6, Self.v4]) { world, tried in
      tried.fails = true
      do {
        _ = try await Self.connect(tried)
        world.fail("connected without an initializer")
      } catch let error as AsyncIOConnectionError {
        try world.require(error.connectionErrors.count == 2, "\(error)")
        try world.require(error.connectionErrors.allSatisfy { $0.error is Tried.Refusal }, "\(error)")
      }
      try await tried.closed()
    }
  }

  @Test("A name that nobody knows")
  func unknownName() async throws {
    try await onClient { world, tried in
      do {
        _ = try await AsyncIOClientBootstrap(group: AsyncIOEventLoop.running()).connect(host: "nobody", port: 80).get()
        world.fail("connected to nobody")
      } catch let error as AsyncIOConnectionError {
        try world.require(error.lookupError is ResolutionError && error.connectionErrors.isEmpty, "\(error)")
      }
    }
  }

  @Test("A shutdown ends the attempts, and begins no other", arguments: Site.ours)
  func shutdown(site: Site) async throws {
    let group = try site.makeGroup()
    let tried = Tried()
    tried.waitsForever = true
    let connecting = AsyncIOClientBootstrap(group: group).channelInitializer { tried.add($0) }
      .connect(host: "127.0.0.1", port: 9)
    await tried.began()
    try await group.next().submit { (group.next() as! AsyncIOEventLoop).shutdownGracefully { _ in } }.get()
    tried.goOn()
    await #expect(throws: NIOCore.EventLoopError.self) { _ = try await connecting.get() }
    try await tried.closed()
    try await group.shutdownGracefully()
  }

  @Test("The end of the loop ends the attempts")
  func loopCloses() async throws {
    let tried = Tried()
    tried.waitsForever = true
    let connecting = try await AsyncIO.run {
      AsyncIOClientBootstrap(group: try AsyncIOEventLoop.running()).channelInitializer { tried.add($0) }
        .connect(host: "127.0.0.1", port: 9)
    }
    await #expect(throws: NIOCore.EventLoopError.self) { _ = try await connecting.get() }
    tried.goOn()
    try await tried.closed()
  }

  @Test("A literal that refuses tells the same as NIO", arguments: Site.real)
  func literal(site: Site) async throws {
    try await site.run { channels in
      // Bound by a client's connection and never listening: nobody else gets the port, and it refuses.
      let host = Site.quietHost()
      let listener = try await channels.listen { _ in }
      let client = try await channels.connect(from: host, listener.localAddress!)
      let port = client.localAddress!.port!
      let errors = try await channels.failureOfConnect(host: host, port: port)
      #expect(errors == ["\(host):\(port) errno \(ECONNREFUSED)"])
      try await client.close()
      try await listener.close()
    }
  }
}

/// The channels that a bootstrap has made, and how their initializers end. Any thread.
final class Tried: Sendable {
  struct Refusal: Error {}

  private struct State {
    var channels: [any Channel] = []
    var waiting: [EventLoopPromise<Void>] = []
    var delay: TimeAmount?
    var fails = false
    var waitsForever = false
  }

  private let state = Watched(State())

  var count: Int { state.value.channels.count }
  /// How long the initializer of the first channel takes.
  var delay: TimeAmount? {
    get { state.value.delay }
    set { state.change { $0.delay = newValue } }
  }
  var fails: Bool {
    get { state.value.fails }
    set { state.change { $0.fails = newValue } }
  }
  var waitsForever: Bool {
    get { state.value.waitsForever }
    set { state.change { $0.waitsForever = newValue } }
  }

  func add(_ channel: any Channel) -> EventLoopFuture<Void> {
    let (isFirst, fails, delay, waits) = state.change { state in
      state.channels.append(channel)
      return (state.channels.count == 1, state.fails, state.delay, state.waitsForever)
    }
    if fails { return channel.eventLoop.makeFailedFuture(Refusal()) }
    if waits {
      let promise = channel.eventLoop.makePromise(of: Void.self)
      state.change { $0.waiting.append(promise) }
      return promise.futureResult
    }
    guard isFirst, let delay else { return channel.eventLoop.makeSucceededVoidFuture() }
    return channel.eventLoop.scheduleTask(in: delay) {}.futureResult
  }

  /// Wait for the first attempt.
  func began() async { await state.wait(for: "an attempt") { !$0.channels.isEmpty } }

  /// Let the initializers end.
  func goOn() { for promise in state.value.waiting { promise.succeed(()) } }

  /// Wait until all channels but one are closed.
  func closed(but winner: (any Channel)? = nil) async throws {
    for channel in state.value.channels where channel !== winner { try? await channel.closeFuture.get() }
  }
}

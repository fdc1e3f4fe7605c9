import AsyncIO
import AsyncIONIO
import AsyncIOSimulation
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Where a program of channels runs: on NIO's own loops, which are the oracle, or on ours.
enum Site: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case nio, selector, poll, proactor
  /// A simulated world without faults, with one loop, its own time, and a network of its own.
  case simulation

  /// Those with real sockets, on loops of ours.
  static let ours: [Site] = [.selector, .poll, .proactor]
  /// Those and the simulation: for programs that ask nothing of the system but streams and datagrams.
  static let oursAndSimulation = ours + [.simulation]
  /// Those with threads and sockets of the system.
  static let real: [Site] = [.nio] + ours

  /// An address of this machine on which no other test takes ports, each time another one. A client of a
  /// port that was let go must not meet another test.
  static func quietHost() -> String {
    let number = hosts.wrappingAdd(1, ordering: .relaxed).newValue
    return "127.7.\(number / 250 % 250).\(number % 250 + 1)"
  }
  private static let hosts = Atomic<Int>(Int(getpid()))

  var testDescription: String { rawValue }

  func makeGroup(_ threads: Int = 1) throws -> any EventLoopGroup {
    switch self {
    case .nio: MultiThreadedEventLoopGroup(numberOfThreads: threads)
    case .selector: try AsyncIOEventLoopGroup(numberOfThreads: threads) { try SelectorEventLoop() }
    case .poll:
      try AsyncIOEventLoopGroup(numberOfThreads: threads) { try SelectorEventLoop(selector: Selectors.poll()) }
    case .proactor: try AsyncIOEventLoopGroup(numberOfThreads: threads) { try ProactorEventLoop() }
    // The loop is the world's.
    case .simulation: AsyncIOEventLoopGroup([try AsyncIOEventLoop.running().base])
    }
  }

  /// Run a program and shut its group down.
  func run<Value: Sendable>(
    threads: Int = 1, _ body: @escaping @Sendable (Channels) async throws -> Value
  ) async throws -> Value {
    guard self == .simulation else { return try await runHere(threads, body) }
    let result = Mutex<Result<Value, any Error>?>(nil)
    _ = try await simulate(seeds: 0..<1) { world in
      let outcome: Result<Value, any Error>
      do {
        outcome = .success(try await world.host("test").run { try await self.runHere(threads, body) })
      } catch {
        outcome = .failure(error)
      }
      result.withLock { $0 = outcome }
    }
    return try result.withLock { $0 }!.get()
  }

  private func runHere<Value: Sendable>(
    _ threads: Int, _ body: @Sendable (Channels) async throws -> Value
  ) async throws -> Value {
    let group = try makeGroup(threads)
    let result: Result<Value, any Error>
    do {
      result = .success(try await body(Channels(site: self, group: group)))
    } catch {
      result = .failure(error)
    }
    // The extension of NIO's protocol ends in a queue of Dispatch, which a world has not.
    if let group = group as? AsyncIOEventLoopGroup {
      try await group.shutdownGracefully()
    } else {
      try await group.shutdownGracefully()
    }
    return try result.get()
  }
}

/// Run a program on NIO's loops and on one of ours: what it notes is the same.
func compare(
  _ site: Site, sourceLocation: SourceLocation = #_sourceLocation,
  _ program: @escaping @Sendable (Channels) async throws -> [String]
) async throws {
  try await compare([site], sourceLocation: sourceLocation, program)
}

/// Run a program on NIO's loops and on some of ours: what it notes is the same on all. The first difference is told.
func compare(
  _ sites: [Site] = Site.ours, threads: Int = 1, sourceLocation: SourceLocation = #_sourceLocation,
  _ program: @escaping @Sendable (Channels) async throws -> [String]
) async throws {
  let expected = try await Site.nio.run(threads: threads, program)
  for site in sites {
    let seen = try await site.run(threads: threads, program)
    guard seen != expected else { continue }
    let same = zip(seen, expected).prefix { $0 == $1 }.count
    let part = expected.prefix(same).last { $0.hasPrefix("--") } ?? ""
    let (ours, theirs) = (seen.dropFirst(same).prefix(8), expected.dropFirst(same).prefix(8))
    Issue.record(
      """
      \(site) \(part), after \(expected.prefix(same).suffix(8).joined(separator: ", "))
      ours: \(ours.joined(separator: ", "))
      NIO's: \(theirs.joined(separator: ", "))
      """, sourceLocation: sourceLocation)
  }
}

/// The bootstraps of a site, which are of two types.
struct Channels: Sendable {
  let site: Site
  let group: any EventLoopGroup
  var loop: any NIOCore.EventLoop { group.any() }

  typealias Initializer = @Sendable (any Channel) throws -> Void

  /// What a test sets.
  struct Options: Sendable {
    var halfClosure = false
    var autoRead = true
    var waterMark: ChannelOptions.Types.WriteBufferWaterMark?
    var receiveSize: Int?
    var connectTimeout: TimeAmount?
    /// The address from which a client connects.
    var local: NIOCore.SocketAddress?

    static let standard = Options()
  }

  /// An address that no other test has, with any port.
  func quietAddress() throws -> NIOCore.SocketAddress {
    // A world goes twice, and no test is in another's.
    try NIOCore.SocketAddress(ipAddress: site == .simulation ? "127.0.0.1" : Site.quietHost(), port: 0)
  }

  func listen(
    _ options: Options = .standard,
    on address: NIOCore.SocketAddress? = nil,
    server: @escaping Initializer = { _ in }, child: @escaping Initializer
  ) async throws -> any Channel {
    let (initialize, prepare) = (Self.future(child), Self.future(server))
    let address = try address ?? quietAddress()
    if site == .nio {
      var bootstrap = ServerBootstrap(group: group).serverChannelInitializer(prepare).childChannelInitializer(
        initialize
      )
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: options.halfClosure)
      .childChannelOption(.autoRead, value: options.autoRead)
      if let mark = options.waterMark { bootstrap = bootstrap.childChannelOption(.writeBufferWaterMark, value: mark) }
      if let size = options.receiveSize {
        bootstrap = bootstrap.childChannelOption(
          .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: size))
      }
      return try await bootstrap.bind(to: address).get()
    }
    var bootstrap = AsyncIOServerBootstrap(group: group).serverChannelInitializer(prepare)
      .childChannelInitializer(initialize)
      .childChannelOption(.allowRemoteHalfClosure, value: options.halfClosure)
      .childChannelOption(.autoRead, value: options.autoRead)
    if let mark = options.waterMark { bootstrap = bootstrap.childChannelOption(.writeBufferWaterMark, value: mark) }
    if let size = options.receiveSize {
      bootstrap = bootstrap.childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: size))
    }
    return try await bootstrap.bind(to: address).get()
  }

  func connect(
    _ address: NIOCore.SocketAddress, _ options: Options = .standard, _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    let initialize = Self.future(initializer)
    if site == .nio {
      var bootstrap = ClientBootstrap(group: group).channelInitializer(initialize)
        .channelOption(.allowRemoteHalfClosure, value: options.halfClosure)
        .channelOption(.autoRead, value: options.autoRead)
      if let mark = options.waterMark { bootstrap = bootstrap.channelOption(.writeBufferWaterMark, value: mark) }
      if let timeout = options.connectTimeout { bootstrap = bootstrap.connectTimeout(timeout) }
      if let local = options.local { bootstrap = bootstrap.bind(to: local) }
      return try await bootstrap.connect(to: address).get()
    }
    var bootstrap = AsyncIOClientBootstrap(group: group).channelInitializer(initialize)
      .channelOption(.allowRemoteHalfClosure, value: options.halfClosure)
      .channelOption(.autoRead, value: options.autoRead)
    if let mark = options.waterMark { bootstrap = bootstrap.channelOption(.writeBufferWaterMark, value: mark) }
    if let timeout = options.connectTimeout { bootstrap = bootstrap.connectTimeout(timeout) }
    if let local = options.local { bootstrap = bootstrap.bind(to: local) }
    return try await bootstrap.connect(to: address).get()
  }

  /// Connect from an address of this machine, with a port that the system chooses.
  func connect(from host: String, _ address: NIOCore.SocketAddress) async throws -> any Channel {
    var options = Options()
    options.local = try NIOCore.SocketAddress(ipAddress: host, port: 0)
    return try await connect(address, options)
  }

  /// What each address of a host says that cannot be connected to.
  func failureOfConnect(host: String, port: Int) async throws -> [String] {
    do {
      if site == .nio {
        _ = try await ClientBootstrap(group: group).connect(host: host, port: port).get()
      } else {
        _ = try await AsyncIOClientBootstrap(group: group).connect(host: host, port: port).get()
      }
      return ["connected"]
    } catch let error as NIOConnectionError {
      return error.connectionErrors.map { "\($0.target.ipAddress!):\($0.target.port!) \(Events.name(of: $0.error))" }
    } catch let error as AsyncIOConnectionError {
      return error.connectionErrors.map { "\($0.target.ipAddress!):\($0.target.port!) \(Events.name(of: $0.error))" }
    }
  }

  /// Make an initializer of NIO's form.
  static func future(
    _ body: @escaping Initializer
  ) -> @Sendable (any Channel) -> EventLoopFuture<Void> {
    { channel in channel.eventLoop.makeCompletedFuture { try body(channel) } }
  }

  /// Do something in the loop's thread.
  func onLoop<Value: Sendable>(_ channel: any Channel, _ body: @escaping @Sendable () throws -> Value) async throws
    -> Value
  {
    try await channel.eventLoop.submit(body).get()
  }
}

internal import AsyncIO
public import AsyncIONIO
public import Hummingbird
public import HummingbirdCore
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
public import UnixSignals

// An application on loops of AsyncIO, in one call. Hummingbird's own `run` makes its listener with a bootstrap of
// NIOPosix, which takes that module's loops and no other. So this one makes the listener, and takes all the rest from
// the application as it is: responder, protocol, address, services, what precedes the server, logger.

extension ApplicationProtocol {
  /// Run the application on a loop until it is shut down: its server, its services, and what is to precede the server.
  /// Everything that the application awaits for a request runs in the loop's thread, its handlers among it.
  ///
  /// ```swift
  /// try await AsyncIO.run { try await application.run(on: .running()) }
  /// ```
  /// The graceful shutdown of a service group that this is a part of ends the server gracefully, and so does the
  /// cancellation of the task: the listener closes, idle connections close, requests in flight have
  /// ``LoopServerOptions/drain`` to be answered. The loop goes on; it belongs to the code that made it. Any thread.
  ///
  /// It returns when the server and the services have ended, even after a cancellation.
  ///
  /// - Throws: what the services throw, what the listener's bind throws, and ``UnreadableApplication``.
  public func run(on loop: AsyncIOEventLoop, options: LoopServerOptions = .init()) async throws {
    try await LoopRun(application: self, group: loop, home: loop, options: options).run()
  }

  /// Run the application on the loops of a group. One loop listens and deals the connections out; each is served in the
  /// thread of its loop. See ``run(on:options:)-(AsyncIOEventLoop,_)``.
  public func run(on group: AsyncIOEventLoopGroup, options: LoopServerOptions = .init()) async throws {
    guard let home = group.any() as? AsyncIOEventLoop else { preconditionFailure("a group has loops of its own kind") }
    try await LoopRun(application: self, group: group, home: home, options: options).run()
  }

  /// Run the application on a loop until it is shut down by one of the signals, gracefully.
  public func runService(
    on loop: AsyncIOEventLoop, gracefulShutdownSignals: [UnixSignal] = [.sigterm, .sigint],
    options: LoopServerOptions = .init()
  ) async throws {
    try await run(on: loop, options: options.adding(gracefulShutdownSignals))
  }

  /// Run the application on the loops of a group until it is shut down by one of the signals, gracefully.
  public func runService(
    on group: AsyncIOEventLoopGroup, gracefulShutdownSignals: [UnixSignal] = [.sigterm, .sigint],
    options: LoopServerOptions = .init()
  ) async throws {
    try await run(on: group, options: options.adding(gracefulShutdownSignals))
  }
}

/// One run of an application.
private struct LoopRun<Application: ApplicationProtocol>: Sendable {
  let application: Application
  let group: any EventLoopGroup
  /// The loop of the listener and of the services.
  let home: AsyncIOEventLoop
  let options: LoopServerOptions

  func run() async throws {
    // A task of its own, because a cancellation is to begin a graceful end, and children are cancelled at once.
    let begun = Task(executorPreference: home.base.taskExecutor) { try await prepare() }
    let services = try await begun.value
    let work = Task(executorPreference: home.base.taskExecutor) { try await services.run() }
    try await withTaskCancellationHandler {
      try await work.value
    } onCancel: {
      Task(executorPreference: home.base.taskExecutor) { await services.triggerGracefulShutdown() }
    }
  }

  /// Make the server and the group of services that it is the last one of.
  private func prepare() async throws -> ServiceGroup {
    let answer = try await application.answering()
    let listener = LoopListener(
      child: try options.child?(answer) ?? Interior.childChannel(of: application, on: group, answer),
      address: try options.address ?? Interior.address(of: application.configuration.address),
      group: group, application: application)
    let server = PrecededService(name: "Hummingbird", work: application.processesRunBeforeServerStart) {
      try await listener.run()
    }
    var configuration = ServiceGroupConfiguration(
      services: application.services + [server], gracefulShutdownSignals: options.gracefulShutdownSignals,
      logger: application.logger)
    configuration.maximumGracefulShutdownDuration = options.drain
    return ServiceGroup(configuration: configuration)
  }
}

/// A service that begins after some work.
private struct PrecededService: Service, CustomStringConvertible {
  let name: String
  // Of Hummingbird's own type: an array of functions of another one cannot be cast to it while the program runs.
  let work: [@concurrent @Sendable () async throws -> Void]
  let body: @Sendable () async throws -> Void
  var description: String { name }

  func run() async throws {
    for step in work { try await step() }
    try await body()
  }
}

/// What a run on loops may be told beyond what the application says.
public struct LoopServerOptions: Sendable {
  /// Makes what serves a connection, of the closure that answers requests.
  public typealias ChildChannel = @Sendable (@escaping HTTPChannelHandler.Responder) throws -> any ServerChildChannel

  /// Where a server listens.
  public enum Address: Sendable, Equatable {
    /// A host, by name or literal, and a port; 0 lets the system choose one.
    case host(String, port: Int)
    /// The path of a Unix socket. A socket of a server that has gone is replaced.
    case unix(path: String)
  }

  /// How long requests in flight have to be answered after a shutdown or a cancellation; `nil`: as long as they take.
  /// After it their tasks are cancelled.
  public var drain: Duration?
  /// The signals that begin a graceful shutdown.
  public var gracefulShutdownSignals: [UnixSignal]
  /// What serves a connection; `nil`: what the application's `server` makes. Give it if a version of Hummingbird does
  /// not let that be read, which is an ``UnreadableApplication``.
  public var child: ChildChannel?
  /// Where to listen; `nil`: the address of the application's configuration. Give it in the same case.
  public var address: Address?

  /// Create options.
  public init(
    drain: Duration? = .seconds(30), gracefulShutdownSignals: [UnixSignal] = [], child: ChildChannel? = nil,
    address: Address? = nil
  ) {
    self.drain = drain
    self.gracefulShutdownSignals = gracefulShutdownSignals
    self.child = child
    self.address = address
  }

  func adding(_ signals: [UnixSignal]) -> Self {
    var copy = self
    copy.gracefulShutdownSignals += signals
    return copy
  }
}

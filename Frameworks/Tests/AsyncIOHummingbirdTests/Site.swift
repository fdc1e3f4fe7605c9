import AsyncIO
import AsyncIOHummingbird
import AsyncIONIO
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

/// Where an application runs: on Hummingbird's own loops, which are the oracle, or on ours.
enum Site: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case nio, selector, poll, proactor

  static let ours: [Site] = [.selector, .poll, .proactor]
  var testDescription: String { rawValue }

  func makeGroup(_ threads: Int) throws -> any EventLoopGroup {
    if self == .nio { return MultiThreadedEventLoopGroup(numberOfThreads: threads) }
    return try AsyncIOEventLoopGroup(numberOfThreads: threads) { try EventLoopKinds.make(rawValue) }
  }
}

/// What a test sets about a service.
struct Setting: Sendable {
  var server = HTTPServerBuilder.http1()
  var configuration = ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0), serverName: "test")
  var threads = 1
  var options = LoopServerOptions()
  var services: [any Service] = []
  var beforeStart: [@Sendable () async throws -> Void] = []
  var logger = Setting.quiet

  /// It keeps metadata, where requests have their ids, and writes nothing.
  static var quiet: Logger {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
  }
}

/// A service that runs, as a test sees it.
struct Running: Sendable {
  let port: UInt16
  let channel: any Channel
  let services: ServiceGroup
  let task: Task<Void, any Error>

  /// Begin a graceful shutdown, as a signal would.
  func shutDown() async { await services.triggerGracefulShutdown() }
}

/// An application on loops as a service, to be in a group as any application is.
private struct OnLoops<Application: ApplicationProtocol>: Service {
  let application: Application
  let group: any EventLoopGroup
  let options: LoopServerOptions

  func run() async throws {
    if let group = group as? AsyncIOEventLoopGroup {
      try await application.run(on: group, options: options)
    } else {
      try await application.run()
    }
  }
}

extension Site {
  /// Run a service, and a client on a loop of its own; then shut the service down, which has to end.
  func serve(
    _ router: Router<BasicRequestContext>, _ setting: Setting = Setting(),
    client: @escaping @Sendable (Running) async throws -> Void
  ) async throws {
    let group = try makeGroup(setting.threads)
    let (channels, running) = AsyncStream.makeStream(of: (any Channel).self)
    var application = Application(
      router: router, server: setting.server, configuration: setting.configuration, services: setting.services,
      onServerRunning: { running.yield($0) }, eventLoopGroupProvider: .shared(group), logger: setting.logger)
    for step in setting.beforeStart { application.beforeServerStarts(perform: step) }
    let services = ServiceGroup(
      services: [OnLoops(application: application, group: group, options: setting.options)], logger: setting.logger)
    let task = Task {
      defer { running.finish() }
      try await services.run()
    }
    do {
      if let channel = await channels.first(where: { _ in true }) {
        let port = UInt16(channel.localAddress?.port ?? 0)
        try await AsyncIO.run(loopFactory: { try SelectorEventLoop() }) {
          try await client(Running(port: port, channel: channel, services: services, task: task))
        }
      }
      await services.triggerGracefulShutdown()
      try await task.value
    } catch {
      task.cancel()
      _ = await task.result
      try? await group.shutdownGracefully()
      throw error
    }
    try await group.shutdownGracefully()
  }
}

internal import AsyncIO
internal import AsyncIONIO
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import ServerConnections
internal import ServiceLifecycle

/// Listens on a loop and serves each connection in the thread of its own loop, until it is shut down.
struct LoopListener<Application: ApplicationProtocol>: Sendable {
  let child: any ServerChildChannel
  let address: LoopServerOptions.Address
  let group: any EventLoopGroup
  let application: Application

  func run() async throws { try await run(child) }

  private func run<Child: ServerChildChannel>(_ child: Child) async throws {
    let open = OpenConnections()
    let listener = try await bind(child, open)
    // A shutdown that came meanwhile calls its handler at once, so the listener closes then.
    await withGracefulShutdownHandler {
      await application.onServerRunning(listener.channel)
      // The cancellation comes when the time for the end is over.
      await withTaskCancellationHandler {
        await serve(listener, child)
      } onCancel: {
        open.cut()
      }
    } onGracefulShutdown: {
      open.shutDown()
    }
  }

  private func serve<Child: ServerChildChannel>(_ listener: NIOAsyncChannel<Child.Value, Never>, _ child: Child) async {
    let logger = application.logger
    await withDiscardingTaskGroup { tasks in
      do {
        try await listener.executeThenClose { connections in
          for try await connection in connections {
            let loop = connection.channel.eventLoop as? AsyncIOEventLoop
            tasks.addTask(executorPreference: loop?.base.taskExecutor) {
              await child.handle(value: connection, logger: logger)
            }
          }
        }
      } catch {
        logger.error("the listener ended", metadata: ["error": "\(error)"])
      }
    }
  }

  private func bind<Child: ServerChildChannel>(
    _ child: Child, _ open: OpenConnections
  ) async throws -> NIOAsyncChannel<Child.Value, Never> {
    let logger = application.logger
    let configuration = application.configuration
    let bootstrap = AsyncIOServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: Int32(clamping: configuration.backlog))
      .serverChannelOption(.socketOption(.so_reuseaddr), value: configuration.reuseAddress ? 1 : 0)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let delegate = configuration.availableConnectionsDelegate {
            try pipeline.addHandler(Self.limit(delegate))
          }
          try pipeline.addHandler(open.makeHandler(for: channel))
        }
      }
    let prepare: @Sendable (any Channel) -> EventLoopFuture<Child.Value> = { channel in
      channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(LastWords()) }
        .flatMap { child.setup(channel: channel, logger: logger) }
    }
    switch address {
    case .host(let host, let port):
      let listener = try await bootstrap.bind(host: host, port: port, childChannelInitializer: prepare)
      logger.info("listening on \(host):\(listener.channel.localAddress?.port ?? port)")
      return listener
    case .unix(let path):
      let listener = try await bootstrap.bind(
        unixDomainSocketPath: path, cleanupExistingSocketFile: true, childChannelInitializer: prepare)
      logger.info("listening on \(path)")
      return listener
    }
  }

  /// The handler that asks a delegate whether to take another connection.
  private static func limit(_ delegate: some AvailableConnectionsDelegate) -> any ChannelHandler {
    AvailableConnectionsChannelHandler(delegate: delegate)
  }
}

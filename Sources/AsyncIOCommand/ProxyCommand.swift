import ArgumentParser
import AsyncIO
import AsyncIOPrograms
import CAsyncIO

/// `asyncio proxy`: a proxy for TCP and Unix sockets.
struct ProxyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "proxy",
    abstract: "Run a proxy for TCP and Unix sockets.",
    discussion: """
      Forwards every connection in both directions. A half-close is passed on as a half-close, a reset as a reset; a
      side that does not read makes the other side wait.

      SIGTERM or SIGINT: no new connections, those that run may end within --drain-timeout seconds, then they are cut.
      A second signal cuts them at once.

      Examples: asyncio proxy --listen 8080 --to 127.0.0.1:80
                asyncio proxy --listen unix:/run/app.sock --to db.internal:5432
      """
  )

  @Option(help: ArgumentHelp("Where to listen; the host defaults to 127.0.0.1.", valueName: "[host:]port|unix:path"))
  var listen: Endpoint

  @Option(help: ArgumentHelp("Where to forward to.", valueName: "host:port|unix:path"))
  var to: Endpoint

  @Option(help: "Connections at a time, of all loops; more clients wait to be accepted.")
  var maxConnections = 10_000

  @Option(help: "Seconds without a byte in either direction until a connection is cut; 0 for never.")
  var idleTimeout = 300.0

  @Option(help: "Seconds that running connections get after SIGTERM or SIGINT.")
  var drainTimeout = 30.0

  @OptionGroup var loop: LoopOptions
  @OptionGroup var loops: LoopCount

  func validate() throws {
    guard maxConnections > 0 else { throw ValidationError("--max-connections must be at least 1.") }
    guard idleTimeout >= 0 else { throw ValidationError("--idle-timeout must be 0 or more seconds.") }
    guard drainTimeout >= 0 else { throw ValidationError("--drain-timeout must be 0 or more seconds.") }
    guard loops.number == 1 || listen.canBeShared else {
      throw ValidationError("--loops needs a port to listen on: a Unix socket has one listener. Leave it out.")
    }
    guard to.isComplete else { throw ValidationError("--to needs a host: host:port.") }
  }

  func run() throws {
    let target = to
    let proxy = Proxy(idleTimeout: idleTimeout > 0 ? .seconds(idleTimeout) : nil) { try await target.connect() }
    let (listen, drain) = (listen, Duration.seconds(drainTimeout))
    let limit = (maxConnections + loops.number - 1) / loops.number
    try loop.run(loops: loops.number) { group in
      let loop = group.loop
      let tell: @Sendable (String) -> Void = { if group.index == 0 { announce($0) } }
      let listener = try await listen.listen(sharedBy: group)
      tell("proxy on \(listener.addresses.map(\.description).joined(separator: ", "))")
      let serving = try loop.createTask(name: "serve") {
        try await listener.serve(maximumConnections: limit) { try await proxy.forward($0) }
      }
      let stop: @Sendable () throws -> Void = {
        if listener.isClosed {
          serving.cancel()
        } else {
          tell("draining")
          listener.close()
          try loop.callLater(drain) { serving.cancel() }
        }
      }
      for signal in [SIGTERM, SIGINT] { try loop.addSignalHandler(signal, stop) }
      do { try await serving.get() } catch is CancellationError {}
    }
    announce("drained")
  }
}

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
      Forwards every connection in both directions. A half-close is passed on as a half-close, a reset as a reset; a \
      side that does not read makes the other side wait.

      A client that leaves while the target is being connected gives up its place. The end of a TCP stream does not \
      say whether the client still reads; so one that ends its stream before the target has answered is given a \
      quarter of a second more, or a whole one if it has sent something. A connection that is cut still gets what was \
      written to it; one that does not take what the proxy has for it is reset, so that its stream does not look whole.

      SIGTERM or SIGINT: no new connections, those that run may end within --drain-timeout seconds, then they are cut. \
      A second signal cuts them at once. The last line tells what was served. SIGUSR1: a summary.

      Examples:
      asyncio proxy --listen 8080 --to 127.0.0.1:80
      asyncio proxy --listen unix:/run/app.sock --to db.internal:5432
      asyncio proxy --listen 0.0.0.0:443 --to 10.0.0.7:8443 --proxy-protocol v2
      """
  )

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Where to listen; the host defaults to 127.0.0.1.", valueName: "[host:]port|unix:path"),
    transform: Endpoint.parseListening)
  var listen: Endpoint

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Where to forward to.", valueName: "host:port|unix:path"),
    transform: Endpoint.parseTarget)
  var to: Endpoint

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Connections at a time, of all loops; more clients wait to be accepted.", valueName: "n"),
    transform: OptionValue.number(1...1_000_000_000))
  var maxConnections = 10_000

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Seconds until a target that does not answer is given up; 0 for never.", valueName: "seconds"),
    transform: OptionValue.seconds(0...1e9))
  var connectTimeout = 10.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seconds without a byte in either direction until a connection is cut; 0 for never.", valueName: "seconds"),
    transform: OptionValue.seconds(0...1e9))
  var idleTimeout = 300.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Seconds that running connections get after SIGTERM or SIGINT.", valueName: "seconds"),
    transform: OptionValue.seconds(0...1e9))
  var drainTimeout = 30.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Tell the target each client's address by a header of the PROXY protocol: v1, v2.", valueName: "v1|v2"),
    transform: OptionValue.choice(ProxyHeader.Version.self))
  var proxyProtocol: ProxyHeader.Version?

  @OptionGroup var loop: LoopOptions
  @OptionGroup var loops: LoopCount

  func validate() throws {
    guard loops.number == 1 || listen.canBeShared else {
      throw ValidationError("--loops needs a port to listen on: a Unix socket has one listener. Leave it out.")
    }
  }

  func run() throws {
    let target = to
    let options = Proxy.Options(
      idleTimeout: idleTimeout > 0 ? .seconds(idleTimeout) : nil,
      connectTimeout: connectTimeout > 0 ? .seconds(connectTimeout) : nil, header: proxyProtocol)
    let proxy = Proxy(options) { try await target.connect() }
    let (listen, drain, count) = (listen, Duration.seconds(drainTimeout), loops.number)
    let limit = maxConnections / count + (maxConnections % count > 0 ? 1 : 0)
    let figures = (0..<count).map { _ in ProxyFigures() }
    let ready = try Barrier(count)
    try loop.run(loops: count) { group in
      let (loop, own) = (group.loop, figures[group.index])
      let tell: @Sendable (String) -> Void = { if group.index == 0 { announce($0) } }
      let listener = try await listen.listen(sharedBy: group)
      let serving = try loop.createTask(name: "serve") {
        try await listener.serve(maximumConnections: limit) { try await proxy.forward($0, own) }
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
      if group.index == 0 {
        let start = loop.time()
        try loop.addSignalHandler(SIGUSR1) {
          for line in ProxyFigures.Snapshot.summary(figures, uptime: start.duration(to: loop.time())) { announce(line) }
        }
      }
      // Printed when every loop listens and every signal is handled.
      try await ready.wait()
      tell("proxy on \(listener.addresses.map(\.description).joined(separator: ", "))")
      do { try await serving.get() } catch is CancellationError {}
    }
    announce("drained: \(figures.map(\.snapshot).reduce(ProxyFigures.Snapshot(), +).traffic)")
  }
}

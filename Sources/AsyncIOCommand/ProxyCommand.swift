import ArgumentParser
import AsyncIO
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

  @Option(help: "Connections at a time; more clients wait to be accepted.")
  var maxConnections = 10_000

  @Option(help: "Seconds without a byte in either direction until a connection is cut; 0 for never.")
  var idleTimeout = 300.0

  @Option(help: "Seconds that running connections get after SIGTERM or SIGINT.")
  var drainTimeout = 30.0

  @OptionGroup var loop: LoopOptions

  func validate() throws {
    guard maxConnections > 0 else { throw ValidationError("--max-connections must be at least 1.") }
    guard idleTimeout >= 0 else { throw ValidationError("--idle-timeout must be 0 or more seconds.") }
    guard drainTimeout >= 0 else { throw ValidationError("--drain-timeout must be 0 or more seconds.") }
    guard to.isComplete else { throw ValidationError("--to needs a host: host:port.") }
  }

  func run() throws {
    let proxy = Proxy(target: to, idleTimeout: idleTimeout > 0 ? .seconds(idleTimeout) : nil)
    let (listen, limit, drain) = (listen, maxConnections, Duration.seconds(drainTimeout))
    try loop.run {
      let loop = try getRunningLoop()
      let listener = try await listen.listen()
      announce("proxy on \(listener.addresses.map(\.description).joined(separator: ", "))")
      let serving = try loop.createTask(name: "serve") {
        try await listener.serve(maximumConnections: limit) { try await proxy.forward($0) }
      }
      let stop: @Sendable () throws -> Void = {
        if listener.isClosed {
          serving.cancel()
        } else {
          announce("draining")
          listener.close()
          try loop.callLater(drain) { serving.cancel() }
        }
      }
      for signal in [SIGTERM, SIGINT] { try loop.addSignalHandler(signal, stop) }
      do { try await serving.get() } catch is CancellationError {}
      announce("drained")
    }
  }
}

/// What the proxy does with a connection.
struct Proxy: Sendable {
  let target: Endpoint
  let idleTimeout: Duration?

  /// Connects to the target and forwards both directions until both have ended or one has failed.
  func forward(_ client: StreamConnection) async throws {
    let upstream: StreamConnection
    do {
      upstream = try await target.connect()
    } catch {
      client.abort()
      throw error
    }
    defer { upstream.close() }
    let watch = try idleTimeout.map { try IdleWatch($0, client, upstream) }
    defer { watch?.stop() }
    async let up: Void = pump(client, to: upstream, watch)
    do {
      try await pump(upstream, to: client, watch)
      try await up
    } catch let error as IOError {
      // The loss of a connection is a proxy's daily bread: it was passed on.
      _ = error
    }
  }

  /// One direction. A failure cuts both connections, which ends the other direction too.
  private func pump(_ from: StreamConnection, to: StreamConnection, _ watch: IdleWatch?) async throws {
    do {
      try await from.forEachChunk { bytes in
        watch?.touch()
        try await to.write(bytes)
        watch?.touch()
      }
      try to.writeEOF()
    } catch {
      from.abort()
      to.abort()
      throw error
    }
  }
}

/// Cuts two connections when no byte has passed for a while. One timer a connection, which looks at a time stamp: a
/// message costs a store, not a timer. Loop thread only; that is what makes the unchecked conformance right.
final class IdleWatch: @unchecked Sendable {
  private let limit: Duration
  private let loop: any EventLoop
  private let connections: [StreamConnection]
  private var last: EventLoopInstant
  private var timer: TimerHandle?

  init(_ limit: Duration, _ connections: StreamConnection...) throws {
    self.limit = limit
    self.connections = connections
    loop = try getRunningLoop()
    last = loop.time()
    arm()
  }

  func touch() { last = loop.time() }

  func stop() { timer?.cancel() }

  private func arm() {
    timer = try? loop.callAt(last.advanced(by: limit)) { [weak self] in self?.check() }
  }

  private func check() {
    if last.advanced(by: limit) > loop.time() { return arm() }
    for connection in connections { connection.abort() }
  }
}

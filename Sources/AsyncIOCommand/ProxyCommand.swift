import ArgumentParser
import AsyncIO
import AsyncIOPrograms
import CAsyncIO

/// `asyncio proxy`: a proxy for TCP and Unix sockets, with TLS on either side.
struct ProxyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "proxy",
    abstract: "Run a proxy for TCP and Unix sockets, with TLS on either side.",
    discussion: """
      Forwards every connection in both directions. A half-close is passed on as a half-close, a reset as a reset; a \
      side that does not read makes the other side wait.

      A client that leaves while the target is being connected gives up its place. The end of a TCP stream does not \
      say whether the client still reads; so one that ends its stream before the target has answered is given a \
      quarter of a second more, or a whole one if it has sent something. A connection that is cut still gets what was \
      written to it; one that does not take what the proxy has for it is reset, so that its stream does not look whole.

      TLS ends here with --tls-cert, and the target gets the plain bytes. It begins here with --to tls:host:port, and \
      the target's certificate is checked. With --sni it goes on as it comes, to the target of the host that the \
      client asks for; other clients, and those that do not speak TLS, get --to or are refused. A name may begin with \
      *., for one label. All three go together, and --sni comes first. A client that ends without the goodbye of TLS \
      counts as lost.

      SIGHUP: read certificates and keys again. Connections that run go on with what they have; files that cannot be \
      used leave those that were loaded before. SIGTERM or SIGINT: no new connections, those that run may end within \
      --drain-timeout seconds, then they are cut. A second signal cuts them at once. The last line tells what was \
      served. SIGUSR1: a summary.

      Examples:
      asyncio proxy --listen 8080 --to 127.0.0.1:80
      asyncio proxy --listen unix:/run/app.sock --to db.internal:5432
      asyncio proxy --listen 0.0.0.0:443 --to 10.0.0.7:8443 --proxy-protocol v2
      asyncio proxy --listen 8443 --tls-cert a.pem --tls-cert b.pem --to 10.0.0.7:80
      asyncio proxy --listen 6379 --to tls:redis.internal:6380 --tls-ca internal.pem
      asyncio proxy --listen 8443 --sni example.org=10.0.0.7:443 --to 10.0.0.8:443
      """
  )

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Where to listen; the host defaults to 127.0.0.1.", valueName: "[host:]port|unix:path"),
    transform: Endpoint.parseListening)
  var listen: Endpoint

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Where to forward to; tls: protects the connection.", valueName: "[tls:]host:port|unix:path"),
    transform: ProxyDestination.parse)
  var to: ProxyDestination?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Where clients go that ask for this host by TLS, as it comes. May be repeated.",
      valueName: "name=host:port|unix:path"),
    transform: ProxyRoute.parse)
  var sni: [ProxyRoute] = []

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

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Seconds that a client has to agree on TLS, with --tls-cert and --sni.", valueName: "seconds"),
    transform: OptionValue.seconds(0.001...86_400))
  var handshakeTimeout = 30.0

  @OptionGroup var tls: TLSServerOptions
  @OptionGroup var targetTLS: TLSTargetOptions
  @OptionGroup var loop: LoopOptions
  @OptionGroup var loops: LoopCount

  func validate() throws {
    try validateTargets()
    guard loops.number == 1 || listen.canBeShared else {
      throw ValidationError("--loops needs a port to listen on: a Unix socket has one listener. Leave it out.")
    }
  }

  private func validateTargets() throws {
    guard to != nil || !sni.isEmpty else {
      throw ValidationError("There is no target. Give --to, or --sni for certain hosts.")
    }
    if to == nil, !tls.certificates.isEmpty {
      throw ValidationError("--tls-cert ends the TLS of clients that --to is for. Add --to, or leave --tls-cert out.")
    }
    if targetTLS.isGiven, to?.isProtected != true {
      throw ValidationError(
        "--tls-ca, --tls-name and --tls-no-verify are for a target of tls:. Give --to tls:host:port.")
    }
    if to?.isProtected == true, !sni.isEmpty, tls.certificates.isEmpty {
      throw ValidationError(
        "--to tls: would protect once more what clients of --sni send. End their TLS with --tls-cert, or give --to "
          + "without tls:.")
    }
    let names = Dictionary(grouping: sni, by: \.name)
    if let twice = names.keys.sorted().first(where: { names[$0]!.count > 1 }) {
      throw ValidationError("--sni \(twice)= is given twice. Give each name once.")
    }
  }

  /// What clients meet, and the certificates for that.
  private func front() throws -> (front: ProxyFront, contexts: [(String, TLSContext)]) {
    let targetContext = to?.isProtected == true ? try targetTLS.context() : nil
    var front = ProxyFront(
      target: to?.target(targetContext, name: targetTLS.name), handshakeTimeout: .seconds(handshakeTimeout))
    front.tls = try tls.context()
    front.routes = TLSNames(sni)
    return (
      front, (front.tls.map { [("certificates", $0)] } ?? []) + (targetContext.map { [("authorities", $0)] } ?? [])
    )
  }

  func run() throws {
    let options = Proxy.Options(
      idleTimeout: idleTimeout > 0 ? .seconds(idleTimeout) : nil,
      connectTimeout: connectTimeout > 0 ? .seconds(connectTimeout) : nil, header: proxyProtocol)
    let (front, contexts) = try front()
    let proxy = Proxy(options, front)
    let (listen, drain, count) = (listen, Duration.seconds(drainTimeout), loops.number)
    let limit = maxConnections / count + (maxConnections % count > 0 ? 1 : 0)
    let figures = (0..<count).map { _ in ProxyFigures() }
    let ready = try Barrier(count)
    try loop.run(loops: count) { group in
      let (loop, own) = (group.loop, figures[group.index])
      let tell: @Sendable (String) -> Void = { if group.index == 0 { announce($0) } }
      let listener = try await listen.listen(sharedBy: group)
      if group.index == 0 {
        try loop.reloadOnHangup(contexts)
        let start = loop.time()
        try loop.addSignalHandler(SIGUSR1) {
          for line in ProxyFigures.Snapshot.summary(figures, uptime: start.duration(to: loop.time())) { announce(line) }
        }
      }
      let report = try await withGracefulStop(drain: drain) { stop in
        // Printed when every loop listens and every signal is handled.
        try await ready.wait()
        tell("proxy on \(listener.addresses.map(\.description).joined(separator: ", "))")
        async let telling: Void = {
          try await stop.requested()
          tell("draining")
        }()
        try await listener.serve(maximumConnections: limit, until: stop) { try await proxy.forward($0, own) }
        try await telling
      }
      for client in report.unfinished { announce("cut: \(client)") }
    }
    announce("drained: \(figures.map(\.snapshot).reduce(ProxyFigures.Snapshot(), +).traffic)")
  }
}

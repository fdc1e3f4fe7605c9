public import SystemPackage

extension StreamConnection {
  /// Connect to a host and port, on the running loop. The addresses of the name are tried in the resolver's order, one
  /// after another unless `happyEyeballsDelay` is given. Answers `open_connection`.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address; "" is this machine.
  ///   - port: the port on that host.
  ///   - family: only addresses of this family.
  ///   - localHost: a name or a literal address of this machine to connect from.
  ///   - localPort: the port to connect from; 0 leaves it to the system.
  ///   - happyEyeballsDelay: how long an attempt may take before the next address is tried alongside it; the first
  ///     connection wins and the others are given up. RFC 8305 recommends 250 ms.
  ///   - interleave: families take turns, after this many addresses of the first one. 1 with `happyEyeballsDelay`,
  ///     unless given; otherwise the resolver's order is kept.
  ///   - allErrors: a failure is a ``ConnectError`` that lists every attempt, even if there was only one.
  /// - Throws: ``ResolutionError``; ``IOError`` of the only address, or if all errors say the same; else
  ///   ``ConnectError``; `CancellationError`; code `invalidArgument` for a negative delay, then for an `interleave`
  ///   below 1; `noRunningLoop` outside of a loop's thread.
  public static func connect(
    host: String, port: UInt16, family: AddressFamily = .unspecified, localHost: String? = nil, localPort: UInt16 = 0,
    happyEyeballsDelay: Duration? = nil, interleave: Int? = nil, allErrors: Bool = false
  ) async throws -> StreamConnection {
    try await checkpoint()
    var request = ConnectRequest(host: host, port: port)
    (request.family, request.localHost, request.localPort) = (family, localHost, localPort)
    (request.happyEyeballsDelay, request.interleave) = (happyEyeballsDelay, interleave)
    request.allErrors = allErrors
    return StreamConnection(try await Connector.connect(request, on: runningCore("StreamConnection.connect")))
  }

  /// Connect to an address. Throws ``IOError``, `CancellationError`; code `noRunningLoop` outside of a loop's thread.
  public static func connect(to address: SocketAddress) async throws -> StreamConnection {
    try await checkpoint()
    let core = try runningCore("StreamConnection.connect")
    return StreamConnection(try await Connector.connect(to: address, on: core))
  }

  /// Connect to a Unix socket: a path, or an abstract name that begins with a NUL. Answers `open_unix_connection`.
  ///
  /// - Throws: code `invalidArgument` for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``;
  ///   ``IOError``, `CancellationError`; code `noRunningLoop` outside of a loop's thread.
  public static func connect(unixPath path: String) async throws -> StreamConnection {
    try await connect(to: SocketAddress(unixPath: path))
  }

  /// Connect to a Unix socket. See ``connect(unixPath:)-(String)``.
  public static func connect(unixPath path: FilePath) async throws -> StreamConnection {
    try await connect(to: SocketAddress(unixPath: path))
  }
}

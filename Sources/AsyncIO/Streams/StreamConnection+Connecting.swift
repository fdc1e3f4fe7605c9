public import SystemPackage

extension StreamConnection {
  /// Connects to a host and port, on the running loop. The addresses of the name are tried in the resolver's order, one
  /// after the other unless `happyEyeballsDelay` is given. Answers `open_connection`.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address; "" is this machine.
  ///   - port: the port on that host.
  ///   - family: only addresses of this family.
  ///   - localHost: a name or a literal address of this machine to connect from.
  ///   - localPort: the port to connect from; 0 leaves it to the system.
  ///   - happyEyeballsDelay: an address that has not answered after this time gets company by the next one; the first
  ///     connection wins and the others are given up. 250 ms is what RFC 8305 recommends.
  ///   - interleave: families take turns, and so many addresses of the first one come before. 1 with
  ///     `happyEyeballsDelay`, unless given; else the resolver's order is kept.
  ///   - allErrors: a failure is a ``ConnectError`` that lists every attempt, also when there was only one.
  /// - Throws: ``ResolutionError``; ``IOError`` of the only address, or if all say the same; else ``ConnectError``;
  ///   `CancellationError`; code `invalidArgument` for a negative delay, then for an `interleave` below 1;
  ///   `noRunningLoop` outside of a loop's thread.
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

  /// Connects to an address. Throws ``IOError``, `CancellationError`; code `noRunningLoop` outside of a loop's thread.
  public static func connect(to address: SocketAddress) async throws -> StreamConnection {
    try await checkpoint()
    let core = try runningCore("StreamConnection.connect")
    return StreamConnection(try await Connector.connect(to: address, on: core))
  }

  /// Connects to a Unix socket: a path, or with a NUL in front an abstract name. Answers `open_unix_connection`.
  ///
  /// - Throws: code `invalidArgument` for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``;
  ///   ``IOError``, `CancellationError`; code `noRunningLoop` outside of a loop's thread.
  public static func connect(unixPath path: String) async throws -> StreamConnection {
    try await connect(to: SocketAddress(unixPath: path))
  }

  /// As ``connect(unixPath:)-(String)``.
  public static func connect(unixPath path: FilePath) async throws -> StreamConnection {
    try await connect(to: SocketAddress(unixPath: path))
  }
}

public import SystemPackage

extension StreamConnection {
  /// Connect to a host and port, on the running loop. The addresses of the name are tried in the resolver's order, one
  /// after another unless `happyEyeballsDelay` is given. Answers `open_connection`.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address; "" is this machine.
  ///   - port: the port on that host.
  ///   - tls: protects the connection, by settings of a client; the call returns when the two sides have agreed.
  ///   - serverHostname: the host that the server's certificate must be for; `host` unless given.
  ///   - family: only addresses of this family.
  ///   - localHost: a name or a literal address of this machine to connect from.
  ///   - localPort: the port to connect from; 0 leaves it to the system.
  ///   - happyEyeballsDelay: how long an attempt may take before the next address is tried alongside it; the first
  ///     connection wins and the others are given up. RFC 8305 recommends 250 ms.
  ///   - interleave: families take turns, after this many addresses of the first one. 1 with `happyEyeballsDelay`,
  ///     unless given; otherwise the resolver's order is kept.
  ///   - allErrors: a failure is a ``ConnectError`` that lists every attempt, even if there was only one.
  /// - Throws: ``ResolutionError``; ``IOError`` of the only address, or if all errors say the same; else
  ///   ``ConnectError``; ``TLSError``; `CancellationError`; code `invalidArgument` for a negative delay, then for an
  ///   `interleave` below 1, for settings of a server, and for a `serverHostname` without `tls`; `noRunningLoop`
  ///   outside of a loop's thread.
  public static func connect(
    host: String, port: UInt16, tls: TLSContext? = nil, serverHostname: String? = nil,
    family: AddressFamily = .unspecified, localHost: String? = nil, localPort: UInt16 = 0,
    happyEyeballsDelay: Duration? = nil, interleave: Int? = nil, allErrors: Bool = false
  ) async throws -> StreamConnection {
    try await checkpoint()
    var request = ConnectRequest(host: host, port: port)
    (request.family, request.localHost, request.localPort) = (family, localHost, localPort)
    (request.happyEyeballsDelay, request.interleave) = (happyEyeballsDelay, interleave)
    request.allErrors = allErrors
    let core = try runningCore("StreamConnection.connect")
    let tls = try TLSProtection.client(
      tls, hostname: serverHostname, host: host, on: core, for: "StreamConnection.connect")
    return try await StreamConnection(try await Connector.connect(request, on: core)).protected(by: tls)
  }

  /// Connect to an address.
  ///
  /// - Parameters:
  ///   - address: of any family.
  ///   - tls: protects the connection, by settings of a client.
  ///   - serverHostname: the host that the server's certificate must be for; the IP address unless given.
  /// - Throws: ``IOError``, ``TLSError``, `CancellationError`; code `invalidArgument` for settings of a server, for a
  ///   `serverHostname` without `tls`, and if it is missing for a Unix socket; `noRunningLoop` outside of a loop's
  ///   thread.
  public static func connect(
    to address: SocketAddress, tls: TLSContext? = nil, serverHostname: String? = nil
  ) async throws -> StreamConnection {
    try await checkpoint()
    let core = try runningCore("StreamConnection.connect")
    let tls = try TLSProtection.client(
      tls, hostname: serverHostname, host: tls == nil ? nil : address.host, on: core, for: "StreamConnection.connect")
    return try await StreamConnection(try await Connector.connect(to: address, on: core)).protected(by: tls)
  }

  /// Connect to a Unix socket: a path, or an abstract name that begins with a NUL. Answers `open_unix_connection`.
  ///
  /// - Throws: code `invalidArgument` for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``;
  ///   otherwise as ``connect(to:tls:serverHostname:)``.
  public static func connect(
    unixPath path: String, tls: TLSContext? = nil, serverHostname: String? = nil
  ) async throws -> StreamConnection {
    try await connect(to: SocketAddress(unixPath: path), tls: tls, serverHostname: serverHostname)
  }

  /// Connect to a Unix socket. See ``connect(unixPath:tls:serverHostname:)-(String,_,_)``.
  public static func connect(
    unixPath path: FilePath, tls: TLSContext? = nil, serverHostname: String? = nil
  ) async throws -> StreamConnection {
    try await connect(to: SocketAddress(unixPath: path), tls: tls, serverHostname: serverHostname)
  }
}

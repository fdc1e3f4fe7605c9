public import SystemPackage

extension StreamListener {
  /// Bind a host and port, on the running loop, and listen. Answers `start_server`.
  ///
  /// - Parameters:
  ///   - host: a name or literal address; `nil` and "" are all interfaces, IPv4 and IPv6. If a name has several
  ///     addresses, all are bound.
  ///   - port: 0 lets the system choose, a port for each address; see ``addresses``.
  ///   - tls: protects every connection, by settings of a server. `serve` calls its handler when the two sides have
  ///     agreed; a connection from `accept` agrees meanwhile, and its first read or write waits for that.
  ///   - family: only addresses of this family.
  ///   - backlog: connections that may wait to be accepted.
  ///   - reuseAddress: bind even if connections of an earlier listener linger.
  ///   - reusePort: share the port with other listeners of this user.
  ///   - keepAlive: let the system probe idle connections, and end those whose peers are gone.
  ///   - startServing: false binds only, and clients are refused until ``startServing()``, `accept` or `serve`.
  /// - Throws: code `noRunningLoop` outside of a loop's thread; `invalidArgument` for a backlog that is not positive,
  ///   if the system has no `reusePort`, or for settings of a client; ``ResolutionError``; ``IOError``, for instance
  ///   `.addressInUse`. Nothing stays open then.
  public static func bind(
    host: String? = nil, port: UInt16, tls: TLSContext? = nil, family: AddressFamily = .unspecified,
    backlog: Int32 = 4096, reuseAddress: Bool = true, reusePort: Bool = false, keepAlive: Bool = false,
    startServing: Bool = true
  ) async throws -> StreamListener {
    var request = ListenRequest()
    (request.hosts, request.port, request.family, request.backlog) = ([host], port, family, backlog)
    (request.reuseAddress, request.reusePort, request.keepAlive) = (reuseAddress, reusePort, keepAlive)
    request.listens = startServing
    return try await bind(request, tls: tls)
  }

  /// Bind several hosts, each address once, like the form for one host. Throws code `invalidArgument` if `hosts` is
  /// empty.
  public static func bind(
    hosts: [String], port: UInt16, tls: TLSContext? = nil, family: AddressFamily = .unspecified,
    backlog: Int32 = 4096, reuseAddress: Bool = true, reusePort: Bool = false, keepAlive: Bool = false,
    startServing: Bool = true
  ) async throws -> StreamListener {
    var request = ListenRequest()
    (request.hosts, request.port, request.family, request.backlog) = (hosts, port, family, backlog)
    (request.reuseAddress, request.reusePort, request.keepAlive) = (reuseAddress, reusePort, keepAlive)
    request.listens = startServing
    return try await bind(request, tls: tls)
  }

  /// Bind a Unix socket, on the running loop, and listen. A socket file whose program has ended is replaced; any other
  /// file stays, and so does a live socket: that is the error `.addressInUse`. Answers `start_unix_server`.
  ///
  /// - Parameters:
  ///   - path: a path, or an abstract name that begins with a NUL (Linux) and has no file.
  ///   - tls: protects every connection, by settings of a server.
  ///   - backlog: connections that may wait to be accepted.
  ///   - cleanupSocket: closing the listener removes the file, even if the program has changed its directory meanwhile,
  ///     but not if another server has replaced the file.
  ///   - mode: the permissions of the file; `nil` leaves them to the umask of the process.
  ///   - startServing: false binds only, and clients are refused until ``startServing()``, `accept` or `serve`.
  /// - Throws: code `noRunningLoop` outside of a loop's thread; `invalidArgument` for a backlog that is not positive
  ///   and for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``; ``IOError``.
  public static func bind(
    unixPath path: String, tls: TLSContext? = nil, backlog: Int32 = 4096, cleanupSocket: Bool = true,
    mode: FilePermissions? = nil, startServing: Bool = true
  ) async throws -> StreamListener {
    try await bind(SocketAddress(unixPath: path), tls, backlog, cleanupSocket, mode, startServing)
  }

  /// Bind a Unix socket. See ``bind(unixPath:tls:backlog:cleanupSocket:mode:startServing:)-(String,_,_,_,_,_)``.
  public static func bind(
    unixPath path: FilePath, tls: TLSContext? = nil, backlog: Int32 = 4096, cleanupSocket: Bool = true,
    mode: FilePermissions? = nil, startServing: Bool = true
  ) async throws -> StreamListener {
    try await bind(SocketAddress(unixPath: path), tls, backlog, cleanupSocket, mode, startServing)
  }

  private static func bind(
    _ address: SocketAddress, _ tls: TLSContext?, _ backlog: Int32, _ cleanupSocket: Bool, _ mode: FilePermissions?,
    _ startServing: Bool
  ) async throws -> StreamListener {
    var request = ListenRequest()
    (request.unixAddress, request.backlog) = (address, backlog)
    (request.removesFile, request.mode, request.listens) = (cleanupSocket, mode, startServing)
    return try await bind(request, tls: tls)
  }

  static func bind(_ request: ListenRequest, tls: TLSContext?) async throws -> StreamListener {
    try await checkpoint()
    var request = request
    request.operation = "StreamListener.bind"
    let core = try runningCore(request.operation)
    let tls = try TLSProtection.server(tls, on: core, for: request.operation)
    let sockets = try await Listeners.open(request, on: core)
    return StreamListener(
      ListeningSockets(sockets, backlog: request.backlog, isListening: request.listens, core: core), tls: tls)
  }

  /// Listen, if `bind` was told not to. Any thread; repeated calls do nothing. Throws ``IOError`` `.badFileDescriptor`
  /// for a closed listener. Answers `start_serving`.
  public func startServing() throws {
    try sockets.listen("startServing")
  }
}

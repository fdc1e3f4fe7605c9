internal import CAsyncIO
internal import Synchronization
public import SystemPackage

extension EventLoop {
  /// Listen on a host and port, and give every client a transport and a protocol. Answers `create_server`.
  ///
  /// ```swift
  /// let server = try await loop.createServer(port: 7000) { Echo() }
  /// try await server.serveForever()
  /// ```
  /// The loop holds the server while it serves. If the factory throws, the error is reported, its client is
  /// disconnected, and the server goes on. Out of descriptors, the server reports it once and pauses for a second.
  ///
  /// - Parameters:
  ///   - host: a name or literal address; `nil` and "" are all interfaces, IPv4 and IPv6. If a name has several
  ///     addresses, all are bound.
  ///   - port: 0 lets the system choose, a port for each address; see ``Server/addresses``.
  ///   - tls: protects every connection, by settings of a server; a protocol is made and told of its transport when the
  ///     two sides have agreed.
  ///   - family: only addresses of this family.
  ///   - flags: for the look-up of the name.
  ///   - backlog: connections that may wait to be accepted.
  ///   - reuseAddress: bind even if connections of an earlier server linger.
  ///   - reusePort: share the port with other servers of this user.
  ///   - keepAlive: let the system probe idle connections, and end those whose peers are gone.
  ///   - startServing: false binds only, and clients are refused until ``Server/startServing()``.
  ///   - factory: makes a protocol object for each client, in the loop's thread and in the scoped policy of this call.
  /// - Throws: code `wrongThread` outside of the loop's thread; `invalidArgument` for a backlog that is not positive,
  ///   if the system has no `reusePort`, or for settings of a client; ``ResolutionError``; ``IOError``, for instance
  ///   `.addressInUse`. Nothing stays open then.
  public func createServer<Proto: ReceivingProtocol>(
    host: String? = nil, port: UInt16, tls: TLSContext? = nil, family: AddressFamily = .unspecified,
    flags: AddressInfoFlags = .passive, backlog: Int32 = 4096, reuseAddress: Bool = true, reusePort: Bool = false,
    keepAlive: Bool = false,
    startServing: Bool = true, _ factory: @escaping () throws -> Proto
  ) async throws -> Server {
    var request = ListenRequest()
    (request.hosts, request.port, request.family, request.flags) = ([host], port, family, flags)
    (request.backlog, request.reuseAddress, request.reusePort) = (backlog, reuseAddress, reusePort)
    request.keepAlive = keepAlive
    return try await server(request, "createServer", tls: tls, startServing: startServing, factory)
  }

  /// Listen on several hosts, each address once, like the form for one host. Throws code `invalidArgument` if `hosts`
  /// is empty.
  public func createServer<Proto: ReceivingProtocol>(
    hosts: [String], port: UInt16, tls: TLSContext? = nil, family: AddressFamily = .unspecified,
    flags: AddressInfoFlags = .passive, backlog: Int32 = 4096, reuseAddress: Bool = true, reusePort: Bool = false,
    keepAlive: Bool = false,
    startServing: Bool = true, _ factory: @escaping () throws -> Proto
  ) async throws -> Server {
    var request = ListenRequest()
    (request.hosts, request.port, request.family, request.flags) = (hosts, port, family, flags)
    (request.backlog, request.reuseAddress, request.reusePort) = (backlog, reuseAddress, reusePort)
    request.keepAlive = keepAlive
    return try await server(request, "createServer", tls: tls, startServing: startServing, factory)
  }

  /// Listen on a bound stream socket, which from here on belongs to the server unless this throws. If the task is
  /// cancelled meanwhile, the server is returned all the same. Throws code `wrongThread` outside of the loop's thread,
  /// `invalidArgument` for anything but a stream socket or for a backlog that is not positive, `invalidState` for the
  /// descriptor of an open connection; `CancellationError` if the task is already cancelled. Answers
  /// `create_server(sock=)`.
  public func createServer<Proto: ReceivingProtocol>(
    socket: Int32, tls: TLSContext? = nil, backlog: Int32 = 4096, startServing: Bool = true,
    _ factory: @escaping () throws -> Proto
  ) async throws -> Server {
    try await checkpoint()
    let core = try coreOfThisThread(for: "createServer")
    let tls = try TLSProtection.server(tls, on: core, for: "createServer")
    let server = core.server(
      over: try core.listeningSockets(over: socket, backlog: backlog, listens: startServing), tls: tls, factory)
    guard startServing else { return server }
    // From here on the server would close the socket, so nothing may be thrown any more.
    try server.start("createServer")
    try? await sleep(for: .zero)
    return server
  }

  /// Listen on a Unix socket. A socket file whose program has ended is replaced; any other file stays, and so does a
  /// live socket: that is the error `.addressInUse`. Answers `create_unix_server`.
  ///
  /// - Parameters:
  ///   - path: a path, or an abstract name that begins with a NUL (Linux) and has no file.
  ///   - tls: protects every connection, by settings of a server.
  ///   - backlog: connections that may wait to be accepted.
  ///   - cleanupSocket: closing the server removes the file, even if the program has changed its directory meanwhile,
  ///     but not if another server has replaced the file.
  ///   - mode: the permissions of the file; `nil` leaves them to the umask of the process.
  ///   - startServing: false binds only, and clients are refused until ``Server/startServing()``.
  ///   - factory: makes a protocol object for each client, in the loop's thread and in the scoped policy of this call.
  /// - Throws: code `wrongThread` outside of the loop's thread; `invalidArgument` for a backlog that is not positive
  ///   and for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``; ``IOError``.
  public func createUnixServer<Proto: ReceivingProtocol>(
    path: String, tls: TLSContext? = nil, backlog: Int32 = 4096, cleanupSocket: Bool = true,
    mode: FilePermissions? = nil, startServing: Bool = true, _ factory: @escaping () throws -> Proto
  ) async throws -> Server {
    let request = unixRequest(try SocketAddress(unixPath: path), backlog, cleanupSocket, mode)
    return try await server(request, "createUnixServer", tls: tls, startServing: startServing, factory)
  }

  /// As ``createUnixServer(path:tls:backlog:cleanupSocket:mode:startServing:_:)-(String,_,_,_,_,_,_)``.
  public func createUnixServer<Proto: ReceivingProtocol>(
    path: FilePath, tls: TLSContext? = nil, backlog: Int32 = 4096, cleanupSocket: Bool = true,
    mode: FilePermissions? = nil, startServing: Bool = true, _ factory: @escaping () throws -> Proto
  ) async throws -> Server {
    let request = unixRequest(try SocketAddress(unixPath: path), backlog, cleanupSocket, mode)
    return try await server(request, "createUnixServer", tls: tls, startServing: startServing, factory)
  }

  private func unixRequest(
    _ address: SocketAddress, _ backlog: Int32, _ cleanupSocket: Bool, _ mode: FilePermissions?
  ) -> ListenRequest {
    var request = ListenRequest()
    (request.unixAddress, request.backlog) = (address, backlog)
    (request.removesFile, request.mode) = (cleanupSocket, mode)
    return request
  }

  func server<Proto: ReceivingProtocol>(
    _ request: ListenRequest, _ operation: String, tls: TLSContext?, startServing: Bool,
    _ factory: @escaping () throws -> Proto
  ) async throws -> Server {
    try await checkpoint()
    let core = try coreOfThisThread(for: operation)
    let tls = try TLSProtection.server(tls, on: core, for: operation)
    var request = request
    (request.operation, request.listens) = (operation, startServing)
    let sockets = try await Listeners.open(request, on: core)
    let server = core.server(
      over: ListeningSockets(sockets, backlog: request.backlog, isListening: startServing, core: core), tls: tls,
      factory)
    guard startServing else { return server }
    do {
      try await server.startServing()
      return server
    } catch {
      server.close()
      throw error
    }
  }
}

extension BaseEventLoop {
  /// Take a bound stream socket of the caller's into the loop's care, which it enters unless this throws.
  final func listeningSockets(over socket: Int32, backlog: Int32, listens: Bool) throws -> ListeningSockets {
    try admitSocket(socket, for: "createServer")
    guard backlog > 0 else {
      throw EventLoopError(.invalidArgument, "createServer: backlog is \(backlog). Give a positive number.")
    }
    guard let address = sockets.localAddress(of: socket) else {
      throw IOError(.badFileDescriptor, "createServer", "descriptor \(socket)")
    }
    if listens { try sockets.listen(socket, backlog: backlog, address) }
    _ = sockets.setNonBlocking(socket)
    let bound = BoundSocket(fd: socket, address: address, file: nil, isLent: true)
    return ListeningSockets([bound], backlog: backlog, isListening: listens, core: self)
  }

  /// Make a server over sockets of the loop.
  fileprivate final func server<Proto: ReceivingProtocol>(
    over sockets: ListeningSockets, tls: TLSProtection?, _ factory: @escaping () throws -> Proto
  ) -> Server {
    let areTCP = sockets.areTCP
    return Server(sockets) { [unowned self] fd in
      let proto = try makeProtocol(factory)
      let transport = StreamTransport(fd, shortReadsDrain: areTCP, core: self)
      if let tls { try transport.start(proto, protectedBy: tls) } else { try transport.start(proto) }
      return transport
    }
  }
}

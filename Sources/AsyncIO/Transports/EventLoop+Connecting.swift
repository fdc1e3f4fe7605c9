public import SystemPackage

extension EventLoop {
  /// Connect to a host and port, and give the connection a transport and a protocol. Returns when the protocol has been
  /// told of its transport. Answers `create_connection`.
  ///
  /// ```swift
  /// let (transport, proto) = try await loop.createConnection(host: "example.org", port: 7) { Client() }
  /// ```
  /// Neither object is `Sendable`: both belong to the loop's thread, and so does this call. If the task is cancelled
  /// while it connects, the protocol is never called; a later cancellation closes the transport.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address; "" is this machine.
  ///   - port: the port on that host.
  ///   - tls: protects the connection, by settings of a client; the protocol is told of its transport when the two
  ///     sides have agreed, and of nothing if they do not.
  ///   - serverHostname: the host that the server's certificate must be for; `host` unless given.
  ///   - family: only addresses of this family.
  ///   - proto: the number of the IP protocol; 0 leaves it to the system.
  ///   - flags: for the look-up of the name.
  ///   - localHost: a name or a literal address of this machine to connect from.
  ///   - localPort: the port to connect from; 0 leaves it to the system.
  ///   - happyEyeballsDelay: how long an attempt may take before the next address is tried alongside it; the first
  ///     connection wins and the others are given up. Without it one address is tried after another.
  ///   - interleave: families take turns, after this many addresses of the first one. 1 with `happyEyeballsDelay`,
  ///     unless given; otherwise the resolver's order is kept.
  ///   - allErrors: a failure is a ``ConnectError`` that lists every attempt, even if there was only one.
  ///   - factory: makes the protocol object when the connection is there; what it throws is thrown here.
  /// - Throws: code `wrongThread` outside of the loop's thread; `invalidArgument` for a negative delay, then for an
  ///   `interleave` below 1, for settings of a server, and for a `serverHostname` without `tls`; ``ResolutionError``;
  ///   ``IOError`` of the only address, or if all errors say the same; else ``ConnectError``; ``TLSError``;
  ///   `CancellationError`; what the factory or the protocol's `connectionMade` throws.
  public func createConnection<Proto: ReceivingProtocol>(
    host: String, port: UInt16, tls: TLSContext? = nil, serverHostname: String? = nil,
    family: AddressFamily = .unspecified, proto: Int32 = 0, flags: AddressInfoFlags = [],
    localHost: String? = nil, localPort: UInt16 = 0, happyEyeballsDelay: Duration? = nil, interleave: Int? = nil,
    allErrors: Bool = false, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "createConnection")
    var request = ConnectRequest(host: host, port: port)
    (request.family, request.proto, request.flags) = (family, proto, flags)
    (request.localHost, request.localPort) = (localHost, localPort)
    (request.happyEyeballsDelay, request.interleave) = (happyEyeballsDelay, interleave)
    (request.allErrors, request.operation) = (allErrors, "createConnection")
    let tls = try TLSProtection.client(tls, hostname: serverHostname, host: host, on: core, for: "createConnection")
    return try await core.makeTransport(over: Connector.connect(request, on: core), tls: tls, factory)
  }

  /// Give a connected stream socket a transport and a protocol. Answers `create_connection(sock=)`.
  ///
  /// - Parameters:
  ///   - socket: the descriptor. It becomes non-blocking, and from here on belongs to the transport, which closes it;
  ///     it stays the caller's if this throws before the protocol was told of its transport, or with `tls` before the
  ///     handshake has begun.
  ///   - tls: protects the connection, by settings of a client.
  ///   - serverHostname: the host that the server's certificate must be for.
  ///   - factory: makes the protocol object; what it throws is thrown here.
  /// - Throws: code `wrongThread` outside of the loop's thread, `invalidArgument` for anything but a stream socket,
  ///   `invalidState` for the descriptor of an open connection; `CancellationError` if the task is already cancelled,
  ///   or later, and then the transport is closed; ``TLSError``.
  public func createConnection<Proto: ReceivingProtocol>(
    socket: Int32, tls: TLSContext? = nil, serverHostname: String? = nil, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "createConnection")
    let tls = try TLSProtection.client(tls, hostname: serverHostname, on: core, for: "createConnection")
    try core.admitSocket(socket, for: "createConnection")
    return try await core.makeTransport(over: socket, tls: tls, factory)
  }

  /// Do the same for a socket that other code has accepted; `tls` has settings of a server. Answers
  /// `connect_accepted_socket`.
  public func connectAcceptedSocket<Proto: ReceivingProtocol>(
    _ socket: Int32, tls: TLSContext? = nil, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "connectAcceptedSocket")
    let tls = try TLSProtection.server(tls, on: core, for: "connectAcceptedSocket")
    try core.admitSocket(socket, for: "connectAcceptedSocket")
    return try await core.makeTransport(over: socket, tls: tls, factory)
  }

  /// Connect to a Unix socket: a path, or an abstract name that begins with a NUL (Linux). Throws code
  /// `invalidArgument` for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``, and with `tls` if
  /// the server's certificate is to be for a host and `serverHostname` is missing; otherwise as the form for a host.
  /// Answers `create_unix_connection`.
  public func createUnixConnection<Proto: ReceivingProtocol>(
    path: String, tls: TLSContext? = nil, serverHostname: String? = nil, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await createUnixConnection(SocketAddress(unixPath: path), tls, serverHostname, factory)
  }

  /// Connect to a Unix socket. See ``createUnixConnection(path:tls:serverHostname:_:)-(String,_,_,_)``.
  public func createUnixConnection<Proto: ReceivingProtocol>(
    path: FilePath, tls: TLSContext? = nil, serverHostname: String? = nil, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await createUnixConnection(SocketAddress(unixPath: path), tls, serverHostname, factory)
  }

  private func createUnixConnection<Proto: ReceivingProtocol>(
    _ address: SocketAddress, _ tls: TLSContext?, _ serverHostname: String?, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "createUnixConnection")
    let tls = try TLSProtection.client(tls, hostname: serverHostname, on: core, for: "createUnixConnection")
    return try await core.makeTransport(over: Connector.connect(to: address, on: core), tls: tls, factory)
  }
}

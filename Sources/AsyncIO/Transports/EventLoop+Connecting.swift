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
  ///   `interleave` below 1; ``ResolutionError``; ``IOError`` of the only address, or if all errors say the same; else
  ///   ``ConnectError``; `CancellationError`; what the factory or the protocol's `connectionMade` throws.
  public func createConnection<Proto: ReceivingProtocol>(
    host: String, port: UInt16, family: AddressFamily = .unspecified, proto: Int32 = 0, flags: AddressInfoFlags = [],
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
    return try await core.makeTransport(over: Connector.connect(request, on: core), factory)
  }

  /// Give a connected stream socket a transport and a protocol. Answers `create_connection(sock=)`.
  ///
  /// - Parameters:
  ///   - socket: the descriptor. It becomes non-blocking, and from here on belongs to the transport, which closes it;
  ///     it stays the caller's if this throws before the protocol was told of its transport.
  ///   - factory: makes the protocol object; what it throws is thrown here.
  /// - Throws: code `wrongThread` outside of the loop's thread, `invalidArgument` for anything but a stream socket,
  ///   `invalidState` for the descriptor of an open connection; `CancellationError` if the task is already cancelled,
  ///   or later, and then the transport is closed.
  public func createConnection<Proto: ReceivingProtocol>(
    socket: Int32, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "createConnection")
    try core.admitSocket(socket, for: "createConnection")
    return try await core.makeTransport(over: socket, factory)
  }

  /// Do the same for a socket that other code has accepted. Answers `connect_accepted_socket`.
  public func connectAcceptedSocket<Proto: ReceivingProtocol>(
    _ socket: Int32, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "connectAcceptedSocket")
    try core.admitSocket(socket, for: "connectAcceptedSocket")
    return try await core.makeTransport(over: socket, factory)
  }

  /// Connect to a Unix socket: a path, or an abstract name that begins with a NUL (Linux). Throws code
  /// `invalidArgument` for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``; otherwise as
  /// ``createConnection(host:port:family:proto:flags:localHost:localPort:happyEyeballsDelay:interleave:allErrors:_:)``.
  /// Answers `create_unix_connection`.
  public func createUnixConnection<Proto: ReceivingProtocol>(
    path: String, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await createUnixConnection(SocketAddress(unixPath: path), factory)
  }

  /// Connect to a Unix socket. See ``createUnixConnection(path:_:)-(String,_)``.
  public func createUnixConnection<Proto: ReceivingProtocol>(
    path: FilePath, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await createUnixConnection(SocketAddress(unixPath: path), factory)
  }

  private func createUnixConnection<Proto: ReceivingProtocol>(
    _ address: SocketAddress, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "createUnixConnection")
    return try await core.makeTransport(over: Connector.connect(to: address, on: core), factory)
  }
}

public import SystemPackage

extension EventLoop {
  /// Connects to a host and port, and gives the connection a transport and a protocol. Returns when the protocol has
  /// been told of its transport. Answers `create_connection`.
  ///
  /// ```swift
  /// let (transport, proto) = try await loop.createConnection(host: "example.org", port: 7) { Client() }
  /// ```
  /// Neither object is `Sendable`: both belong to the loop's thread, and so does this call. A cancellation while
  /// connecting calls nobody; one that comes later closes the transport.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address; "" is this machine.
  ///   - port: the port on that host.
  ///   - family: only addresses of this family.
  ///   - proto: the number of the IP protocol; 0 leaves it to the system.
  ///   - flags: for the look-up of the name.
  ///   - localHost: a name or a literal address of this machine to connect from.
  ///   - localPort: the port to connect from; 0 leaves it to the system.
  ///   - happyEyeballsDelay: an address that has not answered after this time gets company by the next one; the first
  ///     connection wins and the others are given up. Without it one address is tried after the other.
  ///   - interleave: families take turns, and so many addresses of the first one come before. 1 with
  ///     `happyEyeballsDelay`, unless given; else the resolver's order is kept.
  ///   - allErrors: a failure is a ``ConnectError`` that lists every attempt, also when there was only one.
  ///   - factory: makes the protocol object when the connection is there; what it throws is thrown here.
  /// - Throws: code `wrongThread` outside of the loop's thread; `invalidArgument` for a negative delay, then for an
  ///   `interleave` below 1; ``ResolutionError``; ``IOError`` of the only address, or if all say the same; else
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

  /// Gives a stream socket that is connected already a transport and a protocol. Answers `create_connection(sock=)`.
  ///
  /// - Parameters:
  ///   - socket: the descriptor. It is made non-blocking, and is the transport's from here on, which closes it; it
  ///     stays the caller's if this throws before the protocol was told of its transport.
  ///   - factory: makes the protocol object; what it throws is thrown here.
  /// - Throws: code `wrongThread` outside of the loop's thread, `invalidArgument` for what is not a stream socket,
  ///   `invalidState` for the descriptor of an open connection; `CancellationError` in a task that is cancelled
  ///   already, or later, and then the transport is closed.
  public func createConnection<Proto: ReceivingProtocol>(
    socket: Int32, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "createConnection")
    try core.admitSocket(socket, for: "createConnection")
    return try await core.makeTransport(over: socket, factory)
  }

  /// The same for a socket that other code has accepted. Answers `connect_accepted_socket`.
  public func connectAcceptedSocket<Proto: ReceivingProtocol>(
    _ socket: Int32, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "connectAcceptedSocket")
    try core.admitSocket(socket, for: "connectAcceptedSocket")
    return try await core.makeTransport(over: socket, factory)
  }

  /// Connects to a Unix socket: a path, or with a NUL in front an abstract name (Linux). Throws code `invalidArgument`
  /// for a path that is too long, see ``SocketAddress/init(unixPath:)-(String)``; otherwise as
  /// ``createConnection(host:port:family:proto:flags:localHost:localPort:happyEyeballsDelay:interleave:allErrors:_:)``.
  /// Answers `create_unix_connection`.
  public func createUnixConnection<Proto: ReceivingProtocol>(
    path: String, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    try await createUnixConnection(SocketAddress(unixPath: path), factory)
  }

  /// As ``createUnixConnection(path:_:)-(String,_)``.
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

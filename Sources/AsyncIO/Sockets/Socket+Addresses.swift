internal import CAsyncIO
internal import SystemPackage

extension Socket {
  // MARK: Connecting

  /// Connect to an address. A datagram socket then sends there by default, and receives from nowhere else. Answers
  /// `sock_connect`.
  ///
  /// Throws ``IOError`` with the address, code `busy`, `CancellationError`; after an error close the socket.
  public func connect(to address: SocketAddress) async throws {
    try claimWriter("connect")
    defer { releaseWriter() }
    try await connectClaimed(to: address)
  }

  /// Connect to the first address of a host that fits this socket. Answers `sock_connect` with a name.
  ///
  /// Throws ``ResolutionError``, and what ``connect(to:)`` throws.
  public func connect(host: String, port: UInt16) async throws {
    try await checkpoint()
    try claimWriter("connect")
    defer { releaseWriter() }
    var query = AddressQuery(host: host, port: port)
    (query.family, query.type) = (family, type)
    guard let info = try await Resolver.addresses(query, on: core).first else {
      throw ResolutionError(host: host, reason: "it has no addresses")
    }
    try await connectClaimed(to: info.address)
  }

  private func connectClaimed(to address: SocketAddress) async throws {
    sending.kind = .connect
    name(address)
    sending.buffer = sending.messageAddress?.baseAddress
    sending.count = Int(address.length)
    sending.transferred = 0
    await core.complete(sending)
    sending.buffer = nil
    guard sending.result >= 0 else { throw descriptor.failure(sending.result, "connect", "to \(address)") }
  }

  // MARK: Listening

  /// Give the socket its own address; port 0 lets the system choose, see ``localAddress``. Throws ``IOError`` with the
  /// address. Any thread. Answers `bind`.
  public func bind(to address: SocketAddress) throws(IOError) {
    try check("bind", "\(address)") { core.sockets.bind($0, address) }
  }

  /// Let a bound socket take connections, for ``accept()``. Throws ``IOError``; code `invalidArgument` for a negative
  /// backlog. Answers `listen`.
  ///
  /// - Parameter backlog: connections that may wait to be accepted; the system may keep fewer.
  public func listen(backlog: Int32 = 4096) throws {
    // The system would take a negative number for a huge one.
    guard backlog >= 0 else {
      throw EventLoopError(.invalidArgument, "listen: backlog is \(backlog). Give 0 or more.")
    }
    try check("listen", localAddress?.description) { core.sockets.listen($0, backlog) }
    descriptor.isListening = true
  }

  /// End directions of a connection; pending calls in that direction end too. Throws ``IOError``. Any thread. Answers
  /// `shutdown`.
  public func shutdown(_ direction: SocketDirection) throws(IOError) {
    try check("shutdown") { core.sockets.shutdown($0, direction.systemValue) }
  }

  // MARK: Addresses and options

  /// The address of this side; nil for a closed socket. Any thread. Answers `getsockname`.
  public var localAddress: SocketAddress? {
    core.withNumber(of: descriptor) { core.sockets.localAddress(of: $0) } ?? nil
  }

  /// The peer's address; nil for a socket that is not connected. Any thread. Answers `getpeername`.
  public var peerAddress: SocketAddress? {
    core.withNumber(of: descriptor) { core.sockets.peerAddress(of: $0) } ?? nil
  }

  /// Return the value of an option: `try socket.get(.receiveBufferSize)`. Throws ``IOError``. Any thread. Answers
  /// `getsockopt`.
  public func get<Value: Sendable>(_ option: SocketOption<Value>) throws -> Value {
    try descriptor.withNumber("getsockopt") { fd in Result { try option.get(fd, core.sockets) } }.get()
  }

  /// Set an option: `try socket.set(.noDelay, to: true)`. Throws ``IOError``, code `invalidArgument` for options that
  /// can only be read. Any thread. Answers `setsockopt`.
  public func set<Value: Sendable>(_ option: SocketOption<Value>, to value: Value) throws {
    try descriptor.withNumber("setsockopt") { fd in Result { try option.set(fd, value, core.sockets) } }.get()
  }

  /// Make a call that returns 0 or a negated errno.
  private func check(
    _ operation: String, _ subject: String? = nil, _ call: (Int32) -> Int32
  ) throws(IOError) {
    let result = try descriptor.withNumber(operation, call)
    guard result < 0 else { return }
    throw IOError(result: Int(result), operation, subject ?? "descriptor \(descriptor.fileDescriptor)")
  }
}

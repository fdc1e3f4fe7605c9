internal import CAsyncIO
internal import SystemPackage

extension EventLoop {
  /// Open a socket for datagrams and give it a transport and a protocol. Answers `create_datagram_endpoint`.
  ///
  /// Every family and protocol is tried in which both requested ends have an address. With a remote address the socket
  /// is connected to it, unless broadcasting is allowed; datagrams then go nowhere else. A stale file of a Unix socket
  /// is replaced, and the file is removed with the transport.
  ///
  /// - Parameters:
  ///   - localAddress: the address of this side; nil leaves it to the system.
  ///   - remoteAddress: the address of the other side; nil lets each datagram have its own.
  ///   - family: only addresses of this family. Needed if there is no address at all.
  ///   - proto: the system's number of the protocol; 0 is the usual one.
  ///   - flags: how names are looked up.
  ///   - reusePort: share the port with other sockets of this user.
  ///   - allowBroadcast: allow datagrams to broadcast addresses.
  ///   - socket: a datagram socket to use instead of all that; it becomes non-blocking. From here on it belongs to the
  ///     transport; it stays the caller's if this throws before the protocol was told of its transport.
  ///   - factory: makes the protocol object; what it throws is thrown here.
  /// - Throws: code `invalidArgument` for a `socket` of another type, then for one together with any other option, then
  ///   for neither address nor family, and if the system has no `reusePort`; ``ResolutionError``; ``IOError`` of the
  ///   first try; `CancellationError`; code `wrongThread` outside of the loop's thread.
  public func createDatagramEndpoint<Proto: DatagramProtocol>(
    localAddress: DatagramName? = nil, remoteAddress: DatagramName? = nil, family: AddressFamily = .unspecified,
    proto: Int32 = 0, flags: AddressInfoFlags = [], reusePort: Bool = false, allowBroadcast: Bool = false,
    socket: Int32? = nil, _ factory: () throws -> Proto
  ) async throws -> (DatagramTransport, Proto) {
    try await checkpoint()
    let operation = "createDatagramEndpoint"
    let core = try coreOfThisThread(for: operation)
    var request = DatagramRequest(
      local: localAddress, remote: remoteAddress, family: family, proto: proto, flags: flags)
    (request.reusePort, request.broadcast, request.operation) = (reusePort, allowBroadcast, operation)
    let opened: OpenDatagramSocket
    if let socket {
      try Task.checkCancellation()
      opened = try core.admitDatagramSocket(socket, request)
    } else {
      opened = try await DatagramSockets.open(request, on: core)
    }
    let made: Proto
    do {
      // The loop may have been closed while a name was looked up.
      if core.isClosed { throw EventLoopError.closed(operation) }
      made = try factory()
    } catch {
      if socket == nil { opened.close(core) }
      throw error
    }
    return try await core.makeTransport(over: opened, isOnLoan: socket != nil, made)
  }
}

extension BaseEventLoop {
  /// Give the socket a transport. Returns when the protocol has been told.
  fileprivate final func makeTransport<Proto: DatagramProtocol>(
    over opened: OpenDatagramSocket, isOnLoan: Bool, _ proto: Proto
  ) async throws -> (DatagramTransport, Proto) {
    let transport = DatagramTransport(opened, core: self)
    if isOnLoan {
      transport.descriptor.borrow()
      _ = sockets.setNonBlocking(opened.fd)
    }
    try transport.start(proto, isAwaited: true)
    try await transport.made("createDatagramEndpoint")
    return (transport, proto)
  }

  /// Check that a descriptor of the caller can become a transport's and that no other option is given.
  final func admitDatagramSocket(_ fd: Int32, _ request: DatagramRequest) throws -> OpenDatagramSocket {
    guard let type = try? SocketOption.type.get(fd, sockets), type == .datagram,
      let local = sockets.localAddress(of: fd)
    else {
      throw EventLoopError(
        .invalidArgument, "\(request.operation): descriptor \(fd) is not a datagram socket. Give one of SOCK_DGRAM.")
    }
    var plain = DatagramRequest()
    plain.operation = request.operation
    guard request == plain else {
      throw EventLoopError(
        .invalidArgument, "\(request.operation): socket excludes all other options. Leave it or them out.")
    }
    if let owner = backend.attached(fd), !owner.isWatch, !owner.isClosed {
      throw EventLoopError(
        .invalidState, "\(request.operation): descriptor \(fd) belongs to an open connection. Give a different socket.")
    }
    let peer = sockets.peerAddress(of: fd)
    return OpenDatagramSocket(
      fd: fd, family: local.addressFamily, remote: peer, isConnected: peer != nil, file: nil)
  }
}

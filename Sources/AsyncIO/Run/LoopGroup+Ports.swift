internal import SystemPackage

// One port for all loops of a group: each loop has its own socket on the port (SO_REUSEPORT), and the system deals
// clients out among them. No loop waits for another to accept. The traps:
//
// - With port 0 each socket would get a different port. So loop 0 opens first, and the others take its addresses.
// - Any program of the same user id may share such a port: starting a second copy is not an error. A group of one loop
//   therefore opens its port in the ordinary way, and a second copy is refused.

extension StreamListener {
  /// Bind a host and port on every loop of a group, and listen. Every body calls it, with the same arguments; the
  /// system deals clients out among the listeners, and each loop serves the clients that it gets.
  ///
  /// ```swift
  /// try AsyncIO.run(loops: 4) { group in
  ///   let listener = try await StreamListener.bind(port: 7000, sharedBy: group)
  ///   try await listener.serve { connection in … }
  /// }
  /// ```
  /// With port 0 all loops get the port that loop 0 got. The calls are then matched by their order, like those of
  /// ``LoopGroup/shared(_:)``, and an error in loop 0 is thrown in all. On Linux, closing a listener loses the clients
  /// in its backlog, even while the others go on.
  ///
  /// Parameters and errors are those of
  /// ``bind(host:port:tls:family:backlog:reuseAddress:reusePort:keepAlive:startServing:)``. Throws code
  /// `invalidArgument` if the system cannot share a port.
  public static func bind(
    host: String? = nil, port: UInt16, sharedBy group: LoopGroup, tls: TLSContext? = nil,
    family: AddressFamily = .unspecified, backlog: Int32 = 4096, reuseAddress: Bool = true, keepAlive: Bool = false,
    startServing: Bool = true
  ) async throws -> StreamListener {
    var request = ListenRequest()
    (request.hosts, request.port, request.family, request.backlog) = ([host], port, family, backlog)
    (request.reuseAddress, request.keepAlive, request.listens) = (reuseAddress, keepAlive, startServing)
    return try await group.open(request, \.addresses) { try await bind($0, tls: tls) }
  }
}

extension EventLoop {
  /// Listen on a host and port on every loop of a group, and give each client a transport and a protocol. Every body
  /// calls it on its own loop, with the same arguments. See
  /// ``StreamListener/bind(host:port:sharedBy:tls:family:backlog:reuseAddress:keepAlive:startServing:)``.
  ///
  /// Parameters and errors are those of
  /// ``createServer(host:port:tls:family:flags:backlog:reuseAddress:reusePort:keepAlive:startServing:_:)``.
  public func createServer<Proto: ReceivingProtocol>(
    host: String? = nil, port: UInt16, sharedBy group: LoopGroup, tls: TLSContext? = nil,
    family: AddressFamily = .unspecified, flags: AddressInfoFlags = .passive, backlog: Int32 = 4096,
    reuseAddress: Bool = true, keepAlive: Bool = false, startServing: Bool = true,
    _ factory: @escaping () throws -> Proto
  ) async throws -> Server {
    var request = ListenRequest()
    (request.hosts, request.port, request.family, request.flags) = ([host], port, family, flags)
    (request.backlog, request.reuseAddress, request.keepAlive) = (backlog, reuseAddress, keepAlive)
    return try await group.open(request, \.addresses) {
      try await server($0, "createServer", tls: tls, startServing: startServing, factory)
    }
  }
}

extension DatagramEndpoint {
  /// Open an endpoint with one address on every loop of a group. Every body calls it, with the same arguments. All
  /// datagrams of one peer arrive at the same endpoint, as long as all endpoints are open. See
  /// ``StreamListener/bind(host:port:sharedBy:tls:family:backlog:reuseAddress:keepAlive:startServing:)``.
  ///
  /// Parameters and errors are those of ``bind(host:port:family:reusePort:broadcast:)``.
  public static func bind(
    host: String? = nil, port: UInt16, sharedBy group: LoopGroup, family: AddressFamily = .unspecified,
    broadcast: Bool = false
  ) async throws -> DatagramEndpoint {
    let isShared = group.count > 1
    guard isShared && port == 0 else {
      return try await bind(host: host, port: port, family: family, reusePort: isShared, broadcast: broadcast)
    }
    var first: DatagramEndpoint?
    let address = try await group.shared {
      let endpoint = try await bind(host: host, port: 0, family: family, reusePort: true, broadcast: broadcast)
      first = endpoint
      return endpoint.localAddress
    }
    if let first { return first }
    guard let address else { throw IOError(.badFileDescriptor, "DatagramEndpoint.bind", "on an endpoint of loop 0") }
    return try await bind(to: address, reusePort: true, broadcast: broadcast)
  }
}

extension LoopGroup {
  /// Open what the request describes on each loop, on the same port everywhere.
  fileprivate func open<Opened>(
    _ request: ListenRequest, _ addresses: (Opened) -> [SocketAddress],
    _ open: (ListenRequest) async throws -> Opened
  ) async throws -> Opened {
    var request = request
    request.reusePort = count > 1
    guard request.reusePort && request.port == 0 else { return try await open(request) }
    var first: Opened?
    let taken = try await shared {
      let opened = try await open(request)
      first = opened
      return addresses(opened)
    }
    if let first { return first }
    request.addresses = taken
    return try await open(request)
  }
}

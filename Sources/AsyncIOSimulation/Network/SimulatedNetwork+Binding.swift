internal import AsyncIO
internal import SystemPackage

// Addresses of sockets.

extension SimulatedNetwork {
  func bind(_ socket: SimulatedSocket, to address: SocketAddress) -> Int32 {
    if socket.isDead { return -Errno.networkDown.rawValue }
    guard socket.local == nil else { return -Errno.invalidArgument.rawValue }
    guard address.addressFamily == socket.family, let port = address.port else {
      return -Errno.addressFamilyNotSupported.rawValue
    }
    guard address.host == "0.0.0.0" || address.host == "::" || socket.host.owns(address) else {
      return -Errno.addressNotAvailable.rawValue
    }
    let bound: SocketAddress
    if port == 0 {
      guard let free = freeAddress(socket, like: address) else { return -Errno.addressInUse.rawValue }
      bound = free
    } else {
      guard !isTaken(address, socket) else { return -Errno.addressInUse.rawValue }
      bound = address
    }
    socket.local = bound
    socket.host.enter(socket, at: bound)
    note(.bound, Int(socket.number - Self.firstNumber), 0, "\(bound)")
    return 0
  }

  /// Give a socket that is about to talk to an address the host's address of that kind. Returns nil on success.
  func bindToAnyPort(_ socket: SimulatedSocket, for remote: SocketAddress) -> Int32? {
    let loopback = remote.isIPv6 ? "::1" : "127.0.0.1"
    let isLocal = remote.host.map(SimulatedHost.isLoopback) ?? false
    let own = isLocal ? loopback : socket.host.address(like: remote) ?? loopback
    guard let address = SocketAddress(ipLiteral: own, port: 0) else { return -Errno.addressNotAvailable.rawValue }
    let result = bind(socket, to: address)
    return result < 0 ? result : nil
  }

  private func freeAddress(_ socket: SimulatedSocket, like address: SocketAddress) -> SocketAddress? {
    for _ in 0..<16_384 {
      let port = socket.host.nextPort
      socket.host.nextPort = port == 65535 ? 49152 : port + 1
      if let host = address.host, let candidate = SocketAddress(ipLiteral: host, port: port),
        !isTaken(candidate, socket)
      {
        return candidate
      }
    }
    return nil
  }

  private func isTaken(_ address: SocketAddress, _ socket: SimulatedSocket) -> Bool {
    let others = socket.host.bound(at: address, socket.type)
    return !others.isEmpty && !(others + [socket]).allSatisfy(\.sharesPort)
  }

  func listen(_ socket: SimulatedSocket, _ backlog: Int) -> Int32 {
    if let listener = socket.listener {
      listener.backlog = backlog
      return 0
    }
    guard socket.type == .stream, case .fresh = socket.role else { return -Errno.invalidArgument.rawValue }
    if socket.local == nil {
      let any = SocketAddress(ipLiteral: socket.family == .ipv6 ? "::" : "0.0.0.0", port: 0)!
      let result = bind(socket, to: any)
      if result < 0 { return result }
    }
    socket.role = .listener(Listener(backlog: max(1, backlog)))
    note(.listening, Int(socket.number - Self.firstNumber))
    return 0
  }

  /// Stop listening; waiting clients are refused.
  func stopListening(_ socket: SimulatedSocket) {
    guard let listener = socket.listener else { return }
    for end in listener.queue {
      if let other = end.other { send(.reset(other), over: link(end.host, other.host), to: other) }
      end.shut()
    }
    listener.queue = []
  }

  /// Close a socket: its number is given back, and what it was ends.
  func close(_ socket: SimulatedSocket, abortively: Bool) {
    switch socket.role {
    case .fresh: break
    case .listener: stopListening(socket)
    case .connecting(let attempt): attempt.isOver = true
    case .stream(let end): close(end, abortively: abortively)
    case .datagrams: break
    }
    // What it was refers to the socket again: an attempt without an answer, a datagram of its own that is not read.
    socket.role = .fresh
    socket.host.leave(socket)
    forget(socket)
  }
}

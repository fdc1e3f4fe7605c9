internal import AsyncIO
internal import SystemPackage

// Reading and writing, without waiting: a count, or a negated errno.

extension SimulatedNetwork {
  private static var again: Int { -Int(Errno.resourceTemporarilyUnavailable.rawValue) }

  func isReadable(_ socket: SimulatedSocket) -> Bool {
    switch socket.role {
    case .stream(let end): end.isReadable
    case .listener(let listener): !listener.queue.isEmpty
    case .datagrams(let inbox): !inbox.isEmpty || socket.error != 0
    case .fresh, .connecting: socket.error != 0
    }
  }

  func isWritable(_ socket: SimulatedSocket) -> Bool {
    switch socket.role {
    case .stream(let end): canWrite(end)
    case .datagrams: true
    case .fresh: socket.error != 0
    case .listener, .connecting: false
    }
  }

  private func canWrite(_ end: StreamEnd) -> Bool {
    guard end.error == 0, let other = end.other else { return true }
    if other.room > 0 { return true }
    other.owesRoom = true
    return false
  }

  /// Take the error that waits on a socket, once.
  func takeError(_ socket: SimulatedSocket) -> Int32? {
    guard socket.error != 0 else { return nil }
    defer { socket.error = 0 }
    return socket.error
  }

  func read(_ socket: SimulatedSocket, _ memory: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    if socket.isDead { return -Int(Errno.networkDown.rawValue) }
    guard let end = socket.stream else { return -Int(Errno.socketNotConnected.rawValue) }
    if end.error != 0 {
      // Told once; after that it is an end.
      let error = end.error
      end.error = 0
      end.hasEnded = true
      end.hasFailed = true
      return -Int(error)
    }
    if end.isDeaf { return 0 }
    guard !end.received.isEmpty else { return end.hasEnded ? 0 : Self.again }
    guard let memory, count > 0 else { return 0 }
    var limit = count
    if count > 1, strike(.shortReads) {
      // One byte as often as anything else.
      limit = faults.number(below: 2, for: .shortReads) == 0 ? 1 : 1 + faults.number(below: count - 1, for: .shortReads)
    }
    let wasFull = end.room == 0
    let n = end.received.read(into: memory, limit)
    if wasFull, end.owesRoom, end.room > 0, let writer = end.other {
      end.owesRoom = false
      send(.room(writer), over: link(end.host, writer.host), to: writer)
    }
    return n
  }

  func write(_ socket: SimulatedSocket, _ bytes: UnsafeRawBufferPointer) -> Int {
    if socket.isDead { return -Int(Errno.networkDown.rawValue) }
    guard let end = socket.stream else { return -Int(Errno.socketNotConnected.rawValue) }
    if end.hasSentEnd || end.hasFailed { return -Int(Errno.brokenPipe.rawValue) }
    if end.error != 0 {
      let error = end.error
      end.error = 0
      end.hasEnded = true
      end.hasFailed = true
      return -Int(error)
    }
    guard let other = end.other else { return -Int(Errno.brokenPipe.rawValue) }
    guard !bytes.isEmpty else { return 0 }
    if strike(.resets) {
      fail(other, .connectionReset)
      fail(end, .connectionReset)
      return write(socket, bytes)
    }
    guard canWrite(end) else { return Self.again }
    var limit = min(bytes.count, other.room)
    if limit > 1, strike(.shortWrites) {
      limit =
        faults.number(below: 2, for: .shortWrites) == 0 ? 1 : 1 + faults.number(below: limit - 1, for: .shortWrites)
    }
    other.inFlight += limit
    send(
      .bytes(other, Array(UnsafeRawBufferPointer(rebasing: bytes[..<limit]))), over: link(end.host, other.host),
      to: other, bytes: limit)
    return limit
  }

  func sendDatagram(_ bytes: UnsafeRawBufferPointer, from socket: SimulatedSocket, to address: SocketAddress?) -> Int {
    if let error = takeError(socket) { return -Int(error) }
    guard let destination = address ?? socket.peer else { return -Int(Errno.addressRequired.rawValue) }
    guard bytes.count <= 65_507 else { return -Int(Errno.messageTooLong.rawValue) }
    guard destination.addressFamily == socket.family else { return -Int(Errno.addressFamilyNotSupported.rawValue) }
    switch route(of: socket, to: destination) {
    case .failure(let error): return -Int(error.rawValue)
    case .success(let route):
      let datagram = Datagram(Array(bytes), route, sender: socket)
      if let target = route.target {
        send(datagram, to: target)
      } else {
        let isOwn = destination.host?.hasPrefix("127.") == true
        for host in hosts where host === socket.host || !isOwn { send(datagram, to: host) }
      }
      return bytes.count
    }
  }

  private func route(of socket: SimulatedSocket, to destination: SocketAddress) -> Result<DatagramRoute, Errno> {
    guard socket.host.isUp else { return .failure(.networkDown) }
    if let route = socket.route, route.destination == destination { return .success(route) }
    let isBroadcast = Self.broadcasts.contains(destination.host ?? "")
    if isBroadcast, !maySendToAll(socket) { return .failure(.permissionDenied) }
    let target = host(of: destination, from: socket.host)
    guard isBroadcast || target != nil else { return .failure(.networkUnreachable) }
    if socket.local == nil, let failure = bindToAnyPort(socket, for: destination) {
      return .failure(Errno(rawValue: -failure))
    }
    guard let source = sourceAddress(of: socket, for: destination) else { return .failure(.addressNotAvailable) }
    let route = DatagramRoute(from: source, to: destination, isBroadcast ? nil : target)
    socket.route = route
    return .success(route)
  }

  /// Every host, and every socket of this one.
  private static var broadcasts: Set<String> { ["255.255.255.255", "10.255.255.255", "127.255.255.255"] }

  private func maySendToAll(_ socket: SimulatedSocket) -> Bool {
    let option = SocketOption<Bool>.broadcast
    return socket.options[.init(level: option.level, name: option.name)] == [1]
  }

  /// Return what the receiver sees: a socket that is bound to every interface has the address of the one that it sends
  /// by.
  private func sourceAddress(of socket: SimulatedSocket, for destination: SocketAddress) -> SocketAddress? {
    guard let local = socket.local, let port = local.port else { return nil }
    guard local.host == "0.0.0.0" || local.host == "::" else { return local }
    if socket.host.owns(destination), let host = destination.host { return SocketAddress(ipLiteral: host, port: port) }
    return socket.host.address(like: destination).flatMap { SocketAddress(ipLiteral: $0, port: port) }
  }
}

internal import AsyncIO
internal import SystemPackage

// How connections are made and how they end.

extension SimulatedNetwork {
  /// How often a request is sent, each time waiting twice as long: a connect without an answer takes 127 seconds.
  private static var tries: Int { 7 }

  // MARK: Connecting

  /// Begin a connect. Returns 0 or a negated errno if it is over, nil if it goes on.
  func connect(_ socket: SimulatedSocket, to address: SocketAddress) -> Int32? {
    switch socket.role {
    case .stream: return -Errno.socketIsConnected.rawValue
    case .fresh: break
    default: return -Errno.invalidArgument.rawValue
    }
    guard address.addressFamily == socket.family else { return -Errno.addressFamilyNotSupported.rawValue }
    guard socket.host.isUp else { return -Errno.networkDown.rawValue }
    guard let target = host(of: address, from: socket.host) else { return -Errno.noRouteToHost.rawValue }
    if socket.local == nil, let failure = bindToAnyPort(socket, for: address) { return failure }
    socket.peer = address
    let attempt = ConnectAttempt(socket, to: address, on: target)
    socket.role = .connecting(attempt)
    if strike(.refusals) {
      send(.refused(attempt), over: link(target, socket.host))
    } else if strike(.blackHoles) {
      // There is no answer, ever.
      events.schedule(
        .action { [weak self] in self?.finishConnect(attempt, -Errno.timedOut.rawValue) }, at: now + 127_000_000_000)
    } else {
      requestConnection(attempt)
    }
    return nil
  }

  func requestConnection(_ attempt: ConnectAttempt) {
    guard !attempt.isOver else { return }
    guard attempt.tries < Self.tries else { return finishConnect(attempt, -Errno.timedOut.rawValue) }
    send(.connect(attempt), over: link(attempt.socket.host, attempt.target))
    events.schedule(.retryConnect(attempt), at: now + 1_000_000_000 << Int64(attempt.tries))
    attempt.tries += 1
  }

  /// Handle a request that has arrived at its host.
  func connectionRequested(_ attempt: ConnectAttempt, over link: Link) {
    guard attempt.target.isUp else { return note(.packetLost, 0, attempt.target.index, "the host is down") }
    guard !attempt.isOver else { return }
    let back = self.link(link.to, link.from)
    if let end = attempt.answered { return send(.accepted(attempt, end), over: back) }
    guard let socket = choose(attempt.target.listeners(at: attempt.address)), let listener = socket.listener else {
      return send(.refused(attempt), over: back)
    }
    // A full queue is silent, and the request comes again.
    guard listener.queue.count < listener.backlog else {
      return note(.packetLost, 0, attempt.target.index, "the backlog is full")
    }
    guard let local = attempt.socket.local else { return }
    let (client, server) = makeStream(
      from: attempt.socket.host, local, to: attempt.target, attempt.address)
    attempt.answered = client
    unclaimed.append(client)
    listener.queue.append(server)
    noteSocket(socket)
    send(.accepted(attempt, client), over: back)
  }

  /// Choose one of the sockets that share a port.
  func choose(_ sockets: [SimulatedSocket]) -> SimulatedSocket? {
    sockets.count < 2 ? sockets.first : sockets[random.below(sockets.count)]
  }

  private func makeStream(
    from near: SimulatedHost, _ local: SocketAddress, to far: SimulatedHost, _ remote: SocketAddress
  ) -> (StreamEnd, StreamEnd) {
    func window() -> Int {
      strike(.smallBuffers) ? 1 + faults.number(below: 4096, for: .smallBuffers) : 256 * 1024
    }
    let client = StreamEnd(on: near, local: local, remote: remote, window: window())
    let server = StreamEnd(on: far, local: remote, remote: local, window: window())
    client.other = server
    server.other = client
    return (client, server)
  }

  func connectionAccepted(_ attempt: ConnectAttempt, _ end: StreamEnd) {
    guard !attempt.isOver else {
      // Given up meanwhile: the other end is told of it.
      if attempt.socket.stream !== end { close(end) }
      return
    }
    unclaimed.removeAll { $0 === end }
    attempt.socket.role = .stream(end)
    end.socket = attempt.socket
    note(.connected, Int(attempt.socket.number - Self.firstNumber))
    finishConnect(attempt, 0)
  }

  /// - Parameter result: 0 or a negated errno.
  func finishConnect(_ attempt: ConnectAttempt, _ result: Int32) {
    guard !attempt.isOver else { return }
    attempt.isOver = true
    if result < 0 {
      attempt.socket.role = .fresh
      attempt.socket.peer = nil
      attempt.socket.error = -result
    }
    noteSocket(attempt.socket)
  }

  // MARK: Accepting

  /// Accept the next connection. Returns its number, or a negated errno.
  func accept(_ socket: SimulatedSocket) -> Int32 {
    guard let listener = socket.listener else { return -Errno.invalidArgument.rawValue }
    guard !listener.queue.isEmpty else { return -Errno.resourceTemporarilyUnavailable.rawValue }
    if strike(.acceptErrors) {
      guard faults.number(below: 2, for: .acceptErrors) == 0 else { return -Errno.tooManyOpenFiles.rawValue }
      // Gone before it was accepted.
      let end = listener.queue.removeFirst()
      if let other = end.other { fail(other, .connectionReset) }
      end.shut()
      return accept(socket)
    }
    let (made, number) = makeSocket(socket.host, socket.family, .stream)
    guard let made else { return number }
    let end = listener.queue.removeFirst()
    (made.local, made.peer) = (end.local, end.remote)
    made.role = .stream(end)
    end.socket = made
    note(.accepted, Int(socket.number - Self.firstNumber), Int(number - Self.firstNumber))
    return number
  }

  // MARK: Ending

  /// Close one end: the other sees the end of the stream, or a reset if bytes are lost that way.
  func close(_ end: StreamEnd, abortively: Bool = false) {
    guard !end.isClosed else { return }
    end.isClosed = true
    end.socket = nil
    guard let other = end.other else { return }
    let way = link(end.host, other.host)
    if abortively || !end.received.isEmpty {
      if end.error == 0 { send(.reset(other), over: way, to: other) }
    } else if !end.hasSentEnd, end.error == 0 {
      send(.end(other), over: way, to: other)
    }
    end.hasSentEnd = true
    end.received.removeAll()
    if other.isClosed { end.part() }
  }

  /// End the output of one end: the other sees the end of the stream after everything that was sent.
  func endWriting(_ end: StreamEnd) -> Int32 {
    guard end.error == 0 else { return -Errno.notConnectedValue }
    guard !end.hasSentEnd else { return 0 }
    end.hasSentEnd = true
    if let other = end.other { send(.end(other), over: link(end.host, other.host), to: other) }
    return 0
  }
}

extension Errno {
  static var notConnectedValue: Int32 { Errno.socketNotConnected.rawValue }
}

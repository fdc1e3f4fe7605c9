internal import AsyncIO
internal import CAsyncIO
internal import SystemPackage

/// The calls on sockets that a loop makes outside of its backend, answered by the simulated network.
///
/// A loop makes them in its own thread, or while it does not run; a foreign thread ends a simulation. That is what
/// makes the unchecked conformance right.
final class SimulatedSockets: SocketCalls, @unchecked Sendable {
  private let network: SimulatedNetwork
  /// The host whose sockets are made; nil is the host whose program calls.
  private let host: SimulatedHost?

  init(_ network: SimulatedNetwork, host: SimulatedHost? = nil) { (self.network, self.host) = (network, host) }

  var ofCaller: any SocketCalls { SimulatedSockets(network, host: network.currentHost()) }

  /// Paths of Unix sockets would be paths of this machine, which is not the world's.
  var hasFileSystem: Bool { false }
  var isForAnyThread: Bool { false }

  private func with(_ fd: Int32, _ body: (SimulatedSocket) -> Int32) -> Int32 {
    network.socket(fd).map(body) ?? -EBADF
  }

  func socket(_ family: Int32, _ type: Int32, _ proto: Int32) -> Int32 {
    guard family == AF_INET || family == AF_INET6 else { return -EAFNOSUPPORT }
    let kind = SocketType(rawValue: type)
    let usual = Int32(kind == .stream ? IPPROTO_TCP : IPPROTO_UDP)
    guard kind == .stream || kind == .datagram, proto == 0 || proto == usual else { return -EPROTONOSUPPORT }
    if network.strike(.socketShortage) { return -EMFILE }
    let (socket, number) = network.makeSocket(host ?? network.currentHost(), AddressFamily(rawValue: family), kind)
    if kind == .datagram { socket?.role = .datagrams(DatagramInbox()) }
    return number
  }

  func bind(_ fd: Int32, _ address: SocketAddress) -> Int32 { with(fd) { network.bind($0, to: address) } }
  func listen(_ fd: Int32, _ backlog: Int32) -> Int32 { with(fd) { network.listen($0, Int(backlog)) } }

  func connect(_ fd: Int32, _ address: SocketAddress) -> Int32 {
    with(fd) { socket in
      guard socket.inbox != nil else { return -EINVAL }
      guard address.addressFamily == socket.family else { return -EAFNOSUPPORT }
      guard network.host(of: address, from: socket.host) != nil else { return -ENETUNREACH }
      if socket.local == nil, let failure = network.bindToAnyPort(socket, for: address) { return failure }
      socket.peer = address
      return 0
    }
  }

  func accept(_ fd: Int32) -> Int32 { with(fd) { network.accept($0) } }

  func localAddress(of fd: Int32) -> SocketAddress? {
    guard let socket = network.socket(fd) else { return nil }
    return socket.local ?? SocketAddress(ipLiteral: socket.family == .ipv6 ? "::" : "0.0.0.0", port: 0)
  }

  func peerAddress(of fd: Int32) -> SocketAddress? {
    guard let socket = network.socket(fd) else { return nil }
    // A connection that failed no longer has a peer.
    if let end = socket.stream, end.error != 0 { return nil }
    if case .connecting = socket.role { return nil }
    return socket.peer
  }

  func getOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ words: inout [Int32]) -> Int32 {
    guard let socket = network.socket(fd) else { return -EBADF }
    let option = SimulatedSocket.OptionName(level: level, name: name)
    switch (level, name) {
    case (SOL_SOCKET, SO_TYPE): words[0] = socket.type.rawValue
    case (SOL_SOCKET, SO_ACCEPTCONN): words[0] = socket.listener == nil ? 0 : 1
    case (SOL_SOCKET, SO_ERROR):
      words[0] = socket.error
      socket.error = 0
    default:
      let value = socket.options[option] ?? Self.defaults[option] ?? []
      for index in words.indices { words[index] = index < value.count ? value[index] : 0 }
    }
    return 0
  }

  private static let defaults: [SimulatedSocket.OptionName: [Int32]] = [
    .init(level: SOL_SOCKET, name: SO_RCVBUF): [131_072], .init(level: SOL_SOCKET, name: SO_SNDBUF): [87_040],
  ]

  func setOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ words: [Int32]) -> Int32 {
    with(fd) { socket in
      if level == Int32(IPPROTO_TCP), socket.type != .stream { return -ENOPROTOOPT }
      // Linux doubles what is set.
      let isSize = level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF)
      socket.options[.init(level: level, name: name)] =
        isSize ? words.map { $0.multipliedReportingOverflow(by: 2).0 } : words
      return 0
    }
  }

  func shutdown(_ fd: Int32, _ how: Int32) -> Int32 {
    with(fd) { socket in
      if socket.listener != nil {
        network.stopListening(socket)
        return 0
      }
      guard let end = socket.stream else { return -ENOTCONN }
      if how != Int32(SHUT_WR) {
        end.isDeaf = true
        network.noteSocket(socket)
      }
      return how == Int32(SHUT_RD) ? 0 : network.endWriting(end)
    }
  }

  /// Leave it to the program to read the file and send the bytes.
  func sendFile(_ fd: Int32, _ file: Int32, _ offset: Int64, _ count: Int) -> Int64 {
    network.socket(fd) == nil ? Int64(-EBADF) : Int64(-ENOSYS)
  }

  func undeliveredBytes(of fd: Int32) -> Int { network.socket(fd)?.stream?.other?.inFlight ?? 0 }
  func isNonBlocking(_ fd: Int32) -> Int32 { network.socket(fd) == nil ? -EBADF : 1 }
  func setNonBlocking(_ fd: Int32) -> Int32 { network.socket(fd) == nil ? -EBADF : 0 }

  func close(_ fd: Int32) {
    guard let socket = network.socket(fd) else { return }
    let linger = socket.options[.init(level: SOL_SOCKET, name: SO_LINGER)]
    network.close(socket, abortively: linger == [1, 0])
  }
}

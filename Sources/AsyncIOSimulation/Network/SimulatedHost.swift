internal import AsyncIO

/// A machine of the simulated network: addresses, sockets, and whether it is up. In the loop's thread.
final class SimulatedHost {
  let name: String
  let index: Int
  /// In the order in which a look-up gives them.
  let addresses: [String]
  var isUp = true
  /// Bound sockets by their address, several if all of them share the port. Sockets that a listener accepted have its
  /// address, and are not here.
  private var streams: [SocketAddress: [SimulatedSocket]] = [:]
  private var datagrams: [SocketAddress: [SimulatedSocket]] = [:]
  /// The next port that is tried for a socket without one.
  var nextPort: UInt16 = 49152
  /// The largest number of sockets at a time; more are refused as the system refuses them.
  var socketLimit = 1024
  var socketCount = 0

  /// - Parameter index: 0 is the host of programs that name none; it has only the loopback addresses.
  init(_ name: String, index: Int) {
    self.name = name
    self.index = index
    addresses =
      index == 0 ? ["::1", "127.0.0.1"] : ["fd00::\(String(index, radix: 16))", "10.0.\(index >> 8).\(index & 255)"]
  }

  /// Return whether an address is each machine's own.
  static func isLoopback(_ host: String) -> Bool { host == "::1" || host.hasPrefix("127.") }

  /// Return whether an address belongs to this machine.
  func owns(_ address: SocketAddress) -> Bool {
    guard let host = address.host else { return false }
    return addresses.contains(host) || Self.isLoopback(host)
  }

  /// Return the host's address of the same family.
  func address(like other: SocketAddress) -> String? { addresses.first { $0.contains(":") == other.isIPv6 } }

  // MARK: Bound sockets

  func bound(at address: SocketAddress, _ type: SocketType) -> [SimulatedSocket] {
    (type == .datagram ? datagrams[address] : streams[address]) ?? []
  }

  func enter(_ socket: SimulatedSocket, at address: SocketAddress) {
    if socket.type == .datagram {
      datagrams[address, default: []].append(socket)
    } else {
      streams[address, default: []].append(socket)
    }
  }

  func leave(_ socket: SimulatedSocket) {
    guard let address = socket.local else { return }
    let left = bound(at: address, socket.type).filter { $0 !== socket }
    if socket.type == .datagram {
      datagrams[address] = left.isEmpty ? nil : left
    } else {
      streams[address] = left.isEmpty ? nil : left
    }
  }

  func leaveAll() {
    streams = [:]
    datagrams = [:]
  }

  /// Return the sockets that listen there: at this very address, or at all of them.
  func listeners(at address: SocketAddress) -> [SimulatedSocket] { find(address, .stream) { $0.listener != nil } }
  /// Return the sockets that receive datagrams there.
  func receivers(at address: SocketAddress) -> [SimulatedSocket] { find(address, .datagram) { _ in true } }

  private func find(
    _ address: SocketAddress, _ type: SocketType, _ fits: (SimulatedSocket) -> Bool
  ) -> [SimulatedSocket] {
    var exact = bound(at: address, type)
    if !exact.allSatisfy(fits) { exact = exact.filter(fits) }
    guard exact.isEmpty, let port = address.port,
      let any = SocketAddress(ipLiteral: address.isIPv6 ? "::" : "0.0.0.0", port: port)
    else { return exact }
    return bound(at: any, type).filter(fits)
  }
}

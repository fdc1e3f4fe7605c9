internal import AsyncIO
internal import SystemPackage

/// A socket of a simulated host. In the loop's thread.
final class SimulatedSocket {
  /// What a socket has become.
  enum Role {
    case fresh
    case listener(Listener)
    case connecting(ConnectAttempt)
    case stream(StreamEnd)
    case datagrams(DatagramInbox)
  }

  let number: Int32
  let host: SimulatedHost
  let family: AddressFamily
  let type: SocketType
  @exclusivity(unchecked) var role: Role
  var local: SocketAddress?
  var peer: SocketAddress?
  var options: [OptionName: [Int32]] = [:]
  /// An error that the next call reports.
  var error: Int32 = 0
  /// The route of the last datagram.
  var route: DatagramRoute?
  /// What waits on it in the loop.
  @exclusivity(unchecked) var reading: IOOperation?
  @exclusivity(unchecked) var writing: IOOperation?
  /// True if it was cancelled, and is told only when the loop polls next.
  var isReadingCancelled = false
  var isWritingCancelled = false
  /// True if its host has crashed.
  var isDead = false
  /// True if it is in the list of sockets to look at in this poll.
  @exclusivity(unchecked) var isNoted = false

  struct OptionName: Hashable {
    let level: Int32
    let name: Int32
  }

  init(_ number: Int32, on host: SimulatedHost, family: AddressFamily, type: SocketType) {
    (self.number, self.host, self.family, self.type) = (number, host, family, type)
    role = .fresh
  }

  var stream: StreamEnd? {
    if case .stream(let end) = role { end } else { nil }
  }
  var listener: Listener? {
    if case .listener(let listener) = role { listener } else { nil }
  }
  var inbox: DatagramInbox? {
    if case .datagrams(let inbox) = role { inbox } else { nil }
  }

  /// True if it may be bound where other sockets that share the port are.
  var sharesPort: Bool {
    let option = SocketOption<Bool>.reusePort
    return options[OptionName(level: option.level, name: option.name)] == [1]
  }

  /// For traces and reports.
  var name: String {
    "\(host.name) socket \(number)" + (local.map { " \($0)" } ?? "") + (peer.map { " to \($0)" } ?? "")
  }
}

/// A socket that listens.
final class Listener {
  var backlog: Int
  /// Connections that have not been accepted yet.
  var queue: [StreamEnd] = []

  init(backlog: Int) { self.backlog = backlog }
}

/// A connect on its way.
final class ConnectAttempt {
  let socket: SimulatedSocket
  let address: SocketAddress
  let target: SimulatedHost
  var tries = 0
  var isOver = false
  /// The other end, made by the first request that arrived: later ones are copies of it.
  var answered: StreamEnd?

  init(_ socket: SimulatedSocket, to address: SocketAddress, on target: SimulatedHost) {
    (self.socket, self.address, self.target) = (socket, address, target)
  }
}

/// One end of a connection.
final class StreamEnd {
  let host: SimulatedHost
  let local: SocketAddress
  let remote: SocketAddress
  /// Nil before it is accepted, and after it was closed, which breaks the circle.
  @exclusivity(unchecked) var socket: SimulatedSocket?
  /// Nil when both know that it is over.
  @exclusivity(unchecked) var other: StreamEnd?

  @exclusivity(unchecked) var received = ByteQueue()
  /// True if the last byte has arrived.
  var hasEnded = false
  /// True if this side's end was sent.
  var hasSentEnd = false
  /// True if reading was shut down here.
  var isDeaf = false
  var error: Int32 = 0
  /// True if the error was told: reads from here on find the end, and nothing can be written.
  var hasFailed = false
  /// True if it was closed here, or is gone with its host.
  var isClosed = false
  /// Bytes on their way to this end.
  @exclusivity(unchecked) var inFlight = 0
  /// The number of unread bytes that this end keeps.
  var window: Int
  /// True if the writer at the other end waits for room here.
  var owesRoom = false
  /// When the last packet to this end arrives: the next one must not overtake it.
  @exclusivity(unchecked) var lastArrival: Int64 = 0
  /// Since when packets to this end are held back or unanswered; 0 if they are not.
  var silentSince: Int64 = 0

  init(on host: SimulatedHost, local: SocketAddress, remote: SocketAddress, window: Int) {
    (self.host, self.local, self.remote, self.window) = (host, local, remote, window)
  }

  /// Close this end. When both are closed they forget each other.
  func shut() {
    isClosed = true
    if other?.isClosed == true { part() }
  }

  /// Make both ends, which are closed, forget each other.
  func part() {
    other?.other = nil
    other = nil
  }

  /// The number of bytes that may be sent to this end.
  var room: Int { isClosed ? window : max(0, window - received.count - inFlight) }
  /// True if nothing more will arrive.
  var isOver: Bool { hasEnded || error != 0 || isDeaf }
  var isReadable: Bool { !received.isEmpty || isOver }
}

/// What a datagram socket has received.
final class DatagramInbox {
  @exclusivity(unchecked) private var queue: [Datagram] = []
  @exclusivity(unchecked) private var first = 0
  private(set) var bytes = 0
  /// What a socket of the system keeps by default.
  static let limit = 212_992

  var isEmpty: Bool { first == queue.count }

  func append(_ datagram: Datagram) {
    queue.append(datagram)
    bytes += datagram.bytes.count
  }

  func take() -> Datagram? {
    guard !isEmpty else { return nil }
    let datagram = queue[first]
    first += 1
    bytes -= datagram.bytes.count
    if first == queue.count || first > 64 {
      queue.removeFirst(first)
      first = 0
    }
    return datagram
  }
}

/// A datagram on its way. It does not change.
final class Datagram {
  let bytes: [UInt8]
  let route: DatagramRoute
  let sender: SimulatedSocket

  init(_ bytes: [UInt8], _ route: DatagramRoute, sender: SimulatedSocket) {
    (self.bytes, self.route, self.sender) = (bytes, route, sender)
  }
}

/// The destination of a socket's datagrams: an object, because addresses are large and each datagram has two.
final class DatagramRoute {
  let source: SocketAddress
  let destination: SocketAddress
  /// Nil for a broadcast.
  let target: SimulatedHost?

  init(from source: SocketAddress, to destination: SocketAddress, _ target: SimulatedHost?) {
    (self.source, self.destination, self.target) = (source, destination, target)
  }
}

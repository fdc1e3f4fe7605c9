internal import AsyncIO
internal import CSimulation
internal import SystemPackage

// The simulated network: hosts, sockets, and what is on its way between them. The traps:
//
// - Each decision by chance uses the random numbers of its own purpose, in the order of events. A dictionary is looked
//   into by key, and never walked through.
// - A stream keeps its order whatever happens to single packets: a packet never arrives before one that was sent before
//   it, and a link that is cut keeps reliable packets in order until it works again.
// - A completion resumes a task or calls an observer, which may close any socket. So what a poll has to look at is
//   noted first, and every note is looked up anew when its turn comes.

/// The network of one world. In the thread of its loop, which is what makes the unchecked conformance right.
final class SimulatedNetwork: @unchecked Sendable {
  // No exclusivity checks: these are touched for every packet, by one thread.

  /// The clock of the world, which the clocks of the thread show.
  let clock: UnsafeMutablePointer<Int64>
  @exclusivity(unchecked) var events = EventQueue()
  @exclusivity(unchecked) var trace: Trace
  /// Gets what happens, if somebody wants a picture of it.
  @exclusivity(unchecked) var recording: WorldRecording?
  @exclusivity(unchecked) var faults: Faults
  /// Latencies, and the order in which things are reported.
  @exclusivity(unchecked) var random: SimulationRandom
  let profile: NetworkProfile

  @exclusivity(unchecked) private(set) var hosts: [SimulatedHost] = []
  /// By number, less the first one.
  @exclusivity(unchecked) var sockets: [SimulatedSocket?] = []
  @exclusivity(unchecked) private var links: [Link?] = []
  /// What the next poll looks at.
  @exclusivity(unchecked) private var noted: [SimulatedSocket] = []
  /// What the current poll has yet to look at.
  @exclusivity(unchecked) private var batch: [SimulatedSocket] = []
  /// Clients' ends of connections whose clients do not know of them yet, and may never: they and the servers' ends
  /// refer to each other.
  @exclusivity(unchecked) var unclaimed: [StreamEnd] = []
  /// True once nothing goes wrong any more.
  var isHealed = false
  /// Packets that arrived so far.
  @exclusivity(unchecked) var deliveries = 0
  /// The host whose programs are making the current calls.
  var currentHost: () -> SimulatedHost

  /// Beyond every number that the system hands out, so that a call that goes past the network fails.
  static let firstNumber: Int32 = 1 << 24

  init(seed: UInt64, faults plan: FaultPlan, profile: NetworkProfile, traceCapacity: Int) {
    clock = .allocate(capacity: 1)
    clock.initialize(to: SimulationInstant.beginning)
    trace = Trace(capacity: traceCapacity)
    faults = Faults(plan, seed: seed)
    random = SimulationRandom(seed: seed, stream: 1)
    self.profile = profile
    currentHost = { preconditionFailure("a network without hosts") }
  }

  deinit {
    // The two ends of a stream hold each other until both are closed; what a world leaves open stays open.
    for end in unclaimed { end.part() }
    for case let socket? in sockets {
      socket.stream?.part()
      for end in socket.listener?.queue ?? [] { end.part() }
    }
    clock.deallocate()
  }

  var now: Int64 { clock.pointee }

  /// Return a time from now on, in nanoseconds. What is too far away is in 146 years: a clock that jumps there can
  /// still go on.
  func later(_ nanoseconds: Int64) -> Int64 { min(now.advancedSaturating(by: nanoseconds), .max / 2) }

  func note(_ kind: Trace.Kind, _ a: Int = 0, _ b: Int = 0, _ text: @autoclosure () -> String? = nil) {
    guard recording == nil else { return recordAndNote(kind, a, b, text()) }
    trace.add(kind, a, b, text(), at: now)
  }

  private func recordAndNote(_ kind: Trace.Kind, _ a: Int, _ b: Int, _ text: String?) {
    trace.add(kind, a, b, text, at: now)
    record(kind, a, b, text)
  }

  /// Return whether a fault happens now, and note it in the trace.
  func strike(_ kind: FaultClass) -> Bool {
    guard faults.strike(kind) else { return false }
    note(.fault, 0, 0, kind.rawValue)
    return true
  }

  // MARK: Hosts and links

  func addHost(_ name: String) -> SimulatedHost {
    let host = SimulatedHost(name, index: hosts.count)
    hosts.append(host)
    recording?.add(host: name)
    links = Array(repeating: nil, count: hosts.count * hosts.count)
    for link in allLinks { links[link.from.index * hosts.count + link.to.index] = link }
    return host
  }

  /// All links in the order in which they were made.
  private(set) var allLinks: [Link] = []

  func link(_ from: SimulatedHost, _ to: SimulatedHost) -> Link {
    let place = from.index * hosts.count + to.index
    if let link = links[place] { return link }
    let link = Link(from: from, to: to)
    links[place] = link
    allLinks.append(link)
    return link
  }

  /// Return the host with an address, as seen from another one.
  func host(of address: SocketAddress, from: SimulatedHost) -> SimulatedHost? {
    // A loopback address is this host's own, so it is found here and nowhere else.
    from.owns(address) ? from : hosts.first { $0.index > 0 && $0.owns(address) }
  }

  // MARK: Sockets by number

  func socket(_ number: Int32) -> SimulatedSocket? {
    let place = Int(number) - Int(Self.firstNumber)
    return sockets.indices.contains(place) ? sockets[place] : nil
  }

  /// Make a socket with the lowest free number, like the system: numbers come again at once. Returns a negated errno if
  /// the host has no more.
  func makeSocket(_ host: SimulatedHost, _ family: AddressFamily, _ type: SocketType) -> (SimulatedSocket?, Int32) {
    guard host.isUp else { return (nil, -Errno.networkDown.rawValue) }
    guard host.socketCount < host.socketLimit else { return (nil, -Errno.tooManyOpenFiles.rawValue) }
    let place = sockets.firstIndex { $0 == nil } ?? sockets.count
    let socket = SimulatedSocket(Self.firstNumber + Int32(place), on: host, family: family, type: type)
    if place == sockets.count { sockets.append(socket) } else { sockets[place] = socket }
    host.socketCount += 1
    note(.socketMade, place, host.index)
    return (socket, socket.number)
  }

  func forget(_ socket: SimulatedSocket) {
    let place = Int(socket.number - Self.firstNumber)
    guard sockets[place] === socket else { return }
    sockets[place] = nil
    socket.host.socketCount -= 1
    note(.socketClosed, place)
  }

  // MARK: Polling

  /// Note that something may have become possible on the socket.
  func noteSocket(_ socket: SimulatedSocket?) {
    guard let socket, !socket.isNoted else { return }
    socket.isNoted = true
    noted.append(socket)
  }

  /// True if the next poll has something to look at.
  var hasNotes: Bool { !noted.isEmpty }

  /// Let everything happen that is due, and call back for each socket on which something may be possible, in an order
  /// by chance.
  func advance(_ visit: (SimulatedSocket) -> Void) {
    while let event = events.popDue(now: now) { handle(event) }
    batch = noted
    noted.removeAll(keepingCapacity: true)
    for last in stride(from: batch.count - 1, to: 0, by: -1) { batch.swapAt(last, random.below(last + 1)) }
    for socket in batch {
      socket.isNoted = false
      if faults.strike(.lateReports) {
        events.schedule(.look(socket), at: later(faults.duration(around: .milliseconds(5), for: .lateReports)))
      } else {
        visit(socket)
      }
    }
    batch.removeAll(keepingCapacity: true)
  }

  /// True if nothing is on its way. The weather changes for ever, and is worth waiting for only where it, and not the
  /// tester, holds something back.
  var isIdle: Bool { events.hasOnlyWeather && allLinks.allSatisfy { $0.held.isEmpty || $0.isParted } }

  private func handle(_ event: Event) {
    switch event {
    case .arrival(let link, let packet): arrive(link, packet)
    case .retryConnect(let attempt): requestConnection(attempt)
    case .timeOut(let end): timeOut(end)
    case .look(let socket): noteSocket(socket)
    case .weather: changeWeather()
    case .mend(let link): passStorm(link)
    case .unclog(let link): unclog(link)
    case .action(let body): body()
    }
  }

  /// Dismantle the network, in which nothing is on its way any more: it refers to itself.
  func dismantle() {
    for case let socket? in sockets {
      socket.stream?.other = nil
      socket.stream?.socket = nil
      for end in socket.listener?.queue ?? [] { end.other = nil }
      socket.role = .fresh
      socket.reading = nil
      socket.writing = nil
    }
    events.removeAll()
    for link in allLinks { link.held = [] }
    // A number that is closed from here on finds no socket, so its host would not hear of it.
    for host in hosts { host.leaveAll() }
    noted = []
    sockets = []
  }
}

/// How long messages take when nothing is wrong.
public struct NetworkProfile: Hashable, Sendable {
  /// The least time between two hosts; negative counts as none.
  public var latency: Duration
  /// What is added to that, on average; it varies from message to message. Negative counts as none.
  public var jitter: Duration
  /// Bytes per second of one link, at least 1; nil means no limit.
  public var bandwidth: Int?

  /// Create a profile; the default is a data centre's.
  public init(latency: Duration = .microseconds(100), jitter: Duration = .microseconds(100), bandwidth: Int? = nil) {
    (self.latency, self.jitter, self.bandwidth) = (latency, jitter, bandwidth)
  }
}

internal import AsyncIO

/// The world that a simulated program runs in: its clock, its network, and everything that chance decides in it.
///
/// A world belongs to one loop and one seed. Use it in tasks and callbacks of that loop only, which is what makes the
/// unchecked conformance right.
public final class SimulationWorld: @unchecked Sendable {
  /// The seed that everything was drawn from.
  public let seed: UInt64
  /// What can go wrong in this world: what its seed drew from the plan.
  public var faults: FaultPlan { network.faults.plan }
  /// Random numbers for the program; use them instead of the system's, which differ from run to run.
  public var random: SimulationRandom

  let network: SimulatedNetwork
  unowned let loop: SimulationEventLoop
  var invariants: [(name: String, holds: () -> Bool)] = []
  /// What has to happen now and then, and whether it did.
  private(set) var sometimes: [String: Bool] = [:]
  private(set) var failure: SimulationFailure?
  /// The host of calls that are made outside of a host's programs.
  let outside: SimulationHost
  var hosts: [SimulationHost] = []
  /// The number of turns after which the run is a livelock.
  var turnLimit = 5_000_000
  var timeLimit: Duration = .seconds(24 * 3600)
  /// How long, in real time, to wait for threads outside of the world before a standstill is a deadlock: on a busy
  /// machine they are slow to come.
  var patience: Duration = .seconds(1)
  private var turns = 0
  /// True while the run is being cleared up: what happens now is not part of the scenario.
  var isEnding = false {
    didSet { (traceHashAtEnd, timeAtEnd) = (traceHash, now) }
  }
  private(set) var traceHashAtEnd: UInt64 = 0
  private(set) var timeAtEnd: Duration = .zero

  init(seed: UInt64, _ network: SimulatedNetwork, loop: SimulationEventLoop) {
    self.seed = seed
    self.loop = loop
    self.network = network
    random = SimulationRandom(seed: seed, stream: 2)
    outside = SimulationHost("localhost", network.addHost("localhost"), network)
    let machine = outside.machine
    network.currentHost = { SimulationHost.current?.machine ?? machine }
    hosts = [outside]
    outside.world = self
    network.beginWeather()
  }

  /// End the programs after the scenario has returned; nothing may be left of them.
  func finish() async throws {
    heal()
    for host in hosts { host.stopPrograms() }
    // What was closed is closed in the turns that follow, and programs get the time to end.
    var left = ""
    for pause in [1, 10, 1000, 10_000, 120_000] {
      try await AsyncIO.sleep(for: .milliseconds(pause))
      left = whatIsLeft
      if left.isEmpty { return }
    }
    throw completed(SimulationFailure(.leak, "the scenario has ended, and this is left: \(left)"))
  }

  /// Forget the programs after the loop was closed: what they captured may hold the world, which holds them.
  func forgetPrograms() {
    for host in hosts { host.forgetPrograms() }
    invariants = []
  }

  private var whatIsLeft: String {
    let tasks = ((try? allTasks(of: loop)) ?? []).filter { $0.taskName != "the scenario" }.map { "task \($0.taskName)" }
    let sockets = network.sockets.compactMap { $0.map { "\($0.name)" } }
    return (sockets + tasks).joined(separator: "; ")
  }

  // MARK: Time and trace

  /// The time since the world began.
  public var now: Duration { .nanoseconds(network.now - SimulationInstant.beginning) }

  /// Write a line into the trace, which a failure shows. It counts for the trace's hash as well.
  public func note(_ text: String) { network.note(.note, 0, 0, text) }

  /// The trace so far, in one number.
  public var traceHash: UInt64 { network.trace.hash }

  /// The number of packets that have arrived so far.
  public var deliveries: Int { network.deliveries }

  /// How often each kind of fault has struck so far.
  public var struck: [FaultClass: Int] { network.faults.struck }

  // MARK: Hosts and links

  /// Return the machine of this name, made when it is first asked for; "localhost" is the machine of code that belongs
  /// to no host. Programs find it by its name, and it has one IPv6 and one IPv4 address.
  public func host(_ name: String) -> SimulationHost {
    if let host = hosts.first(where: { $0.name == name }) { return host }
    let host = SimulationHost(name, network.addHost(name), network)
    host.world = self
    hosts.append(host)
    return host
  }

  /// Cut both directions, until ``mend(_:_:)`` or ``heal()``.
  public func partition(_ a: SimulationHost, _ b: SimulationHost) {
    partition(from: a, to: b)
    partition(from: b, to: a)
  }

  /// Cut one direction: `to` does not hear `from`, until ``mend(_:_:)`` or ``heal()``.
  public func partition(from: SimulationHost, to: SimulationHost) {
    network.cut(network.link(from.machine, to.machine))
  }

  /// Let both hear each other again; what a stream had to say meanwhile arrives.
  public func mend(_ a: SimulationHost, _ b: SimulationHost) {
    network.mend(network.link(a.machine, b.machine))
    network.mend(network.link(b.machine, a.machine))
  }

  /// Delay what the first sends: it reaches the second only at the end of this time, all at once.
  public func clog(from: SimulationHost, to: SimulationHost, for time: Duration) {
    network.clog(network.link(from.machine, to.machine), for: time.nanoseconds)
  }

  /// Mend what is wrong, and let nothing go wrong from here on. After this a program must reach its goal. Hosts that
  /// are down stay down.
  public func heal() { network.heal() }

  // MARK: Failing

  /// End the simulation as failed, for code that cannot throw. The first failure of a run is the one that is reported.
  public func fail(_ message: String) { fail(SimulationFailure(.invariant, message)) }

  func fail(_ failure: SimulationFailure) {
    guard self.failure == nil, !isEnding else { return }
    let complete = completed(failure)
    self.failure = complete
    // Leaves the run, as an interrupt does.
    _ = try? loop.callSoon { throw complete }
  }

  /// Return the failure with everything that the world knows about it.
  func completed(_ failure: SimulationFailure) -> SimulationFailure {
    var failure = failure
    failure.seed = seed
    failure.faults = faults
    failure.time = now
    failure.traceHash = traceHash
    failure.trace = network.trace.entries.map(\.description)
    return failure
  }

  // MARK: Turns

  func turnWillRun(_ entries: Int) {
    network.note(.turn, entries)
    turns += 1
    guard !isEnding else { return }
    if turns > turnLimit {
      fail(SimulationFailure(.livelock, "\(turnLimit) turns, and no end. \(whoWaits)"))
    } else if now > timeLimit {
      fail(SimulationFailure(.livelock, "more than \(timeLimit) passed, and no end. \(whoWaits)"))
    }
  }

  func turnDidRun() {
    guard !isEnding, failure == nil else { return }
    for invariant in invariants where !invariant.holds() {
      return fail(SimulationFailure(.invariant, "\"\(invariant.name)\" does not hold any more"))
    }
  }

  func addSometimes(_ name: String, _ happened: Bool) { sometimes[name] = happened || sometimes[name] == true }

  /// Which tasks wait for what, for a program that makes no progress.
  var whoWaits: String {
    var lines: [String] = []
    for case let socket? in network.sockets {
      if let operation = socket.reading { lines.append("\(socket.name) waits: \(operation.kind)") }
      if let operation = socket.writing { lines.append("\(socket.name) waits: \(operation.kind)") }
    }
    let tasks = (try? allTasks(of: loop)) ?? []
    lines += tasks.map { "task \($0.taskName) has not ended" }
    return lines.isEmpty ? "Nobody waits for anything that the loop knows of." : lines.joined(separator: "; ")
  }
}

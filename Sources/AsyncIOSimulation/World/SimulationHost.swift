internal import AsyncIO

/// A machine of a simulated world, with addresses and programs of its own. In the loop's thread, which is what makes
/// the unchecked conformance right.
///
/// A program of a host acts on the network from there: its sockets have the host's addresses, 127.0.0.1 is the host
/// itself, and when the host crashes they are gone.
public final class SimulationHost: @unchecked Sendable {
  /// The name by which other hosts find it.
  public let name: String
  let machine: SimulatedHost
  private let network: SimulatedNetwork
  unowned var world: SimulationWorld!
  private var program: (name: String, body: @Sendable () async throws -> Void)?
  private var running: [any AnyLoopTask] = []

  /// The host whose program the current code belongs to.
  static var current: SimulationHost? { (getEventLoopPolicy() as? HostPolicy)?.host }

  init(_ name: String, _ machine: SimulatedHost, _ network: SimulatedNetwork) {
    (self.name, self.machine, self.network) = (name, machine, network)
  }

  /// Its addresses, in the order in which a look-up of its name gives them.
  public var addresses: [String] { machine.addresses }
  /// False between ``crash()`` and ``restart()``.
  public var isUp: Bool { machine.isUp }

  /// The largest number of sockets that the host has at a time; further ones are refused with "too many open files".
  public var socketLimit: Int {
    get { machine.socketLimit }
    set { machine.socketLimit = newValue }
  }

  /// Run code as a program of this host, to its end, in the task of the caller. A crash of the host does not cancel it:
  /// its sockets fail.
  public func run<Value: Sendable>(_ body: () async throws -> Value) async rethrows -> Value {
    try await withEventLoopPolicy(HostPolicy(self)) { try await body() }
  }

  /// Start a program on this host, as a task. It runs until it ends; it is cancelled when the host crashes or the
  /// scenario has returned. An error that it throws fails the scenario, unless it was cancelled before. ``restart()``
  /// starts it again.
  public func start(_ name: String = "program", _ body: @escaping @Sendable () async throws -> Void) {
    program = (name, body)
    launch(name, body)
  }

  private func launch(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
    let title = "\(name) on \(self.name)"
    network.note(.program, machine.index, 0, "\(title) begins")
    let life = Life()
    lives.append(life)
    do {
      let task = try withEventLoopPolicy(HostPolicy(self)) {
        try world.loop.createTask(name: title) { [weak self] in
          do {
            try await body()
          } catch is CancellationError {
          } catch {
            self?.programFailed(title, error, life)
          }
          self?.lives.removeAll { $0 === life }
        }
      }
      running.append(task)
    } catch {
      world.fail(SimulationFailure(.thrown, "\(title) could not be started: \(error)"))
    }
  }

  /// One run of a program.
  private final class Life: @unchecked Sendable {
    // Touched in the loop's thread only.
    var isOver = false
  }
  private var lives: [Life] = []

  private func programFailed(_ title: String, _ error: any Error, _ life: Life) {
    guard !life.isOver else { return }
    if let failure = error as? SimulationFailure { return world.fail(failure) }
    world.fail(SimulationFailure(.thrown, "\(title) threw: \(error)"))
  }

  /// Stop the machine from one moment to the next. Its sockets are gone and no peer is told; its programs are
  /// cancelled. What they send before they end reaches nothing, but what they do to shared memory is done: in a crash
  /// of a real machine it would not be.
  public func crash() {
    network.crash(machine)
    stopPrograms()
  }

  /// Bring the machine up again, and start the program that was started last anew. Does nothing while it is up.
  public func restart() {
    guard !machine.isUp else { return }
    network.restart(machine)
    if let program { launch(program.name, program.body) }
  }

  func forgetPrograms() {
    program = nil
    running = []
    lives = []
  }

  func stopPrograms() {
    for life in lives { life.isOver = true }
    for task in running { _ = task.cancel() }
    running = []
  }
}

/// The policy of a host's programs: it carries the host along, into tasks and callbacks. They are all on the world's
/// one loop.
private final class HostPolicy: EventLoopPolicy {
  let host: SimulationHost

  init(_ host: SimulationHost) { self.host = host }

  func getEventLoop() throws -> any EventLoop { host.world.loop }
  func setEventLoop(_ loop: (any EventLoop)?) {}

  func newEventLoop() throws -> any EventLoop {
    throw EventLoopError(
      .notOffered, "newEventLoop: a simulated world has one loop, and \(host.name) runs on it. Use getEventLoop().")
  }
}

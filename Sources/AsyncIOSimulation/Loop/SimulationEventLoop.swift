public import AsyncIO
internal import CSimulation

/// An event loop in virtual time over a simulated network: the same seed gives the same run. Answers nothing of
/// asyncio.
///
/// It runs what other loops run, and refuses what belongs to a real machine: descriptors of the system, pipes,
/// processes, Unix sockets. While it runs, the clocks of its thread show the loop's time, tasks without a preference
/// run on it, and `MainActor` or a resume from another thread end the run with a ``SimulationFailure``.
///
/// Thread rules: its state belongs to the thread that runs it; that is what makes the unchecked conformance right.
public final class SimulationEventLoop: BaseEventLoop, @unchecked Sendable {
  /// The order of jobs that are ready at the same time.
  public enum Order: Sendable {
    /// By the seed: an order that no program may rely on is different with every seed.
    case seeded
    /// In the order in which they became ready, like other loops.
    case fifo
  }

  /// The world of this loop: its hosts, its network, its faults.
  public private(set) var world: SimulationWorld!
  private let keeper: TurnKeeper

  /// True where tasks without a preference run in the world; on other platforms they escape to the system's threads.
  public static var holdsPlainTasks: Bool { csimulation_can_route() == 1 }

  /// Make a loop with a world of its own.
  ///
  /// - Parameters:
  ///   - seed: decides everything that chance decides.
  ///   - faults: what can go wrong.
  ///   - order: of jobs.
  ///   - profile: how long messages take.
  ///   - traceLength: how many of the last events a failure shows.
  public init(
    seed: UInt64, faults: FaultPlan = .none, order: Order = .seeded, profile: NetworkProfile = NetworkProfile(),
    traceLength: Int = 60
  ) {
    let network = SimulatedNetwork(
      seed: seed, faults: faults.drawn(by: seed), profile: profile, traceCapacity: traceLength)
    let backend = SimulationBackend(network)
    keeper = TurnKeeper(seed: seed, order: order)
    super.init(backend: backend)
    sockets = SimulatedSockets(network)
    world = SimulationWorld(seed: seed, network, loop: self)
    keeper.world = world
    turnObserver = keeper
    connect(backend, to: network)
  }

  /// Make the work of threads happen in the loop's thread, a while later.
  private func connect(_ backend: SimulationBackend, to network: SimulatedNetwork) {
    let threads = SimulatedThreads(network)
    setDefaultExecutor(threads.pool("asyncio", maximumThreads: 8, slowedBy: .slowThreads))
    nameThreads = threads.pool("asyncio dns", maximumThreads: 8, slowedBy: .slowNames)
    nameService = SimulatedNames.service(network)
    tlsProvider = SimulatedTLSProvider(network)
    let router = SimulationRouter(self)
    backend.onRun = { [keeper] begins in
      keeper.runDidChange(begins)
      if begins { router.enter(network.clock) } else { router.leave() }
    }
    backend.onDeadlock = { [unowned self] in nothingToDo() }
    backend.onClose = { [world] in world?.forgetPrograms() }
    onForeignPost { [keeper] in keeper.noteForeignThread() }
  }

  /// The loop's time is the world's. Answers `time`.
  public override func time() -> EventLoopInstant { EventLoopInstant(nanoseconds: world.network.now) }

  /// Handle a standstill: nothing is queued, no timer is set, and nothing is on its way.
  private func nothingToDo() {
    if world.isEnding { return stop() }
    if keeper.waitForForeigner() { return }
    world.fail(SimulationFailure(.deadlock, "nothing is to be done, and nothing will happen. \(world.whoWaits)"))
  }

  // MARK: Whole runs

  /// Run a scenario on this loop, in this thread, which runs nothing else; then clear up after it. Returns why it
  /// failed.
  func play(_ scenario: @escaping @Sendable (SimulationWorld) async throws -> Void) -> SimulationFailure? {
    let world = self.world!
    var failure: SimulationFailure?
    // Errors that no caller can be given are in the trace, unless the scenario sets a handler. A failure is one
    // wherever it comes from, for instance the handler of a connection.
    exceptionHandler = { _, context in
      if let failure = context.exception as? SimulationFailure { return world.fail(failure) }
      world.note("\(context)")
    }
    do {
      let main = try createTask(name: "the scenario") {
        try await scenario(world)
        try await world.finish()
      }
      do {
        try runUntilComplete(main)
      } catch let error as SimulationFailure {
        failure = error.seed == nil ? world.completed(error) : error
      } catch {
        failure = world.failure ?? world.completed(SimulationFailure(.thrown, "the scenario threw: \(error)"))
      }
      _ = main.cancel()
    } catch {
      failure = world.completed(SimulationFailure(.thrown, "\(error)"))
    }
    clearUp()
    return failure ?? world.failure
  }

  /// Let everything that is left come to an end, as far as it will. The rest must never go on: it would do so in
  /// threads of the system, several at a time, with a world that is gone.
  private func clearUp() {
    world.isEnding = true
    world.heal()
    for host in world.hosts { host.stopPrograms() }
    exceptionHandler = { _, _ in }
    // What does not end in this many turns does not end.
    keeper.limit(turns: 10_000)
    do { try runForever() } catch {}
    putLateJobsAway()
    do { try close() } catch {}
  }
}

internal import AsyncIO
internal import CAsyncIO
internal import CSimulation
internal import SystemPackage

/// Run a scenario once for each seed, each time in a world of its own: another order of events, another network, other
/// faults. Throws the ``SimulationFailure`` of the lowest seed that fails, shrunk as far as it gets.
///
///     try simulate(seeds: 0..<1000, faults: .hostile) { world in
///       let server = world.host("server")
///       server.start { try await StreamListener.bind(host: "server", port: 80).serve(handle) }
///       try await world.host("client").run { … }
///     }
///
/// The scenario runs as a task of the world's loop. Everything in the library works as it does elsewhere; `Task.sleep`,
/// the clocks and tasks without a preference also belong to the world. When the scenario returns, the world is healed,
/// the programs of its hosts are cancelled, and sockets or tasks that are then left are a failure.
///
/// With `ASYNCIO_SEED` in the environment only that seed is run, with the faults in `ASYNCIO_FAULTS`, as a failure
/// prints them.
///
/// - Parameters:
///   - seeds: each is a world.
///   - faults: what can go wrong in them.
///   - options: how the campaign is run.
///   - scenario: what happens in each world.
/// - Returns: what was seen.
@discardableResult
public func simulate(
  seeds: Range<UInt64>, faults: FaultPlan = .none, options: CampaignOptions = CampaignOptions(),
  _ scenario: @escaping @Sendable (SimulationWorld) async throws -> Void
) throws(SimulationFailure) -> CampaignReport {
  let campaign = Campaign(faults: try Replay.faults() ?? faults, options: options, scenario: scenario)
  guard let seed = try Replay.seed() else { return try CampaignRun(campaign, seeds).run() }
  return try CampaignRun(campaign, seed..<seed + 1).run()
}

/// Do the same for tests that are tasks: their thread is not blocked.
@discardableResult
public func simulate(
  seeds: Range<UInt64>, faults: FaultPlan = .none, options: CampaignOptions = CampaignOptions(),
  _ scenario: @escaping @Sendable (SimulationWorld) async throws -> Void
) async throws -> CampaignReport {
  let result = await withCheckedContinuation {
    (continuation: CheckedContinuation<Result<CampaignReport, SimulationFailure>, Never>) in
    do throws(Errno) {
      try Thread.detach(name: "simulate") {
        continuation.resume(
          returning: Result { () throws(SimulationFailure) in
            try simulate(seeds: seeds, faults: faults, options: options, scenario)
          })
      }
    } catch {
      continuation.resume(returning: .failure(.noThread(error)))
    }
  }
  return try result.get()
}

/// What the environment asks to see again.
enum Replay {
  static func seed(_ text: String? = text("ASYNCIO_SEED")) throws(SimulationFailure) -> UInt64? {
    guard let text else { return nil }
    guard let seed = UInt64(text), seed < .max else {
      throw SimulationFailure(.configuration, "ASYNCIO_SEED is \"\(text)\". Give a whole number, or unset it.")
    }
    return seed
  }

  static func faults(_ text: String? = text("ASYNCIO_FAULTS")) throws(SimulationFailure) -> FaultPlan? {
    guard let text else { return nil }
    guard let plan = FaultPlan(code: text) else {
      throw SimulationFailure(
        .configuration,
        "ASYNCIO_FAULTS is \"\(text)\". Give none, mild, hostile, or kinds with rates from 0 to 1: "
          + "resets=0.05,clogs=0.3. Kinds are: \(FaultClass.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return plan
  }

  static func text(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

extension SimulationFailure {
  fileprivate static func noThread(_ error: Errno) -> SimulationFailure {
    SimulationFailure(
      .configuration, "simulate: cannot start a thread: \(error). Raise the limit of threads, or end some.")
  }
}

/// The threads of a campaign. What they share is behind a lock, which is what makes the conformance right.
private final class CampaignRun: Sendable {
  private struct State {
    var next: UInt64
    var end: UInt64
    var report = CampaignReport()
    var failed: Campaign.Outcome?
    /// The same failure, shrunk as far as it gets.
    var failure: SimulationFailure?
  }

  private let campaign: Campaign
  private let seeds: Range<UInt64>
  private let state: Lock<State>

  init(_ campaign: Campaign, _ seeds: Range<UInt64>) {
    (self.campaign, self.seeds) = (campaign, seeds)
    state = Lock(State(next: seeds.lowerBound, end: seeds.upperBound))
  }

  func run() throws(SimulationFailure) -> CampaignReport {
    let began = csimulation_real_nanoseconds()
    let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    // There may be more seeds than an Int counts, and more threads requested than any system has.
    let worlds = Int(clamping: seeds.upperBound - seeds.lowerBound)
    let count = max(1, min(campaign.options.threads ?? processors, worlds, 1024))
    var gates: [ThreadGate] = []
    for _ in 0..<count {
      let gate = ThreadGate()
      do throws(Errno) {
        try Thread.detach(name: "simulation") { [self] in
          work()
          gate.open()
        }
      } catch {
        // One does the work of all, only slower.
        if gates.isEmpty { throw .noThread(error) }
        break
      }
      gates.append(gate)
    }
    for gate in gates { gate.wait() }
    var (report, failed) = state.withLock { ($0.report, $0.failed) }
    report.elapsed = .nanoseconds(csimulation_real_nanoseconds() - began)
    if let failed {
      // In a thread that runs nothing else, like every run.
      let gate = ThreadGate()
      do throws(Errno) {
        try Thread.detach(name: "simulation") { [self] in
          let failure = campaign.finished(failed)
          state.withLock { $0.failure = failure }
          gate.open()
        }
      } catch {
        // The failure as it is, then, without shrinking.
        throw failed.failure ?? .noThread(error)
      }
      gate.wait()
      if let failure = state.withLock({ $0.failure }) { throw failure }
    }
    try checkCoverage(report)
    return report
  }

  private func work() {
    while let seed = take() {
      let (outcome, isRepeated) = campaign.examine(seed)
      let done = state.withLock { state in
        state.report.add(outcome, isRepeated: isRepeated)
        if outcome.failure != nil, outcome.seed < state.failed?.seed ?? .max {
          state.failed = outcome
          // Lower ones are still run: the failure to show is that of the lowest seed, whatever thread was faster.
          state.end = min(state.end, seed)
        }
        return state.report.seeds
      }
      campaign.options.progress?(done)
    }
  }

  private func take() -> UInt64? {
    state.withLock { state in
      guard state.next < state.end else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }

  private func checkCoverage(_ report: CampaignReport) throws(SimulationFailure) {
    guard report.seeds >= campaign.options.coverageSeeds else { return }
    let missing = report.sometimes.filter { $0.value == 0 }.keys.sorted()
    guard let first = missing.first else { return }
    throw SimulationFailure(
      .unreached, "\"\(first)\" happened in none of \(report.seeds) worlds. Give more seeds, or faults that lead there."
    )
  }
}

extension CampaignReport {
  fileprivate mutating func add(_ outcome: Campaign.Outcome, isRepeated: Bool) {
    seeds += 1
    if isRepeated { repeated += 1 }
    simulated += outcome.time
    deliveries += outcome.deliveries
    struck.merge(outcome.struck, uniquingKeysWith: +)
    for (name, happened) in outcome.sometimes { sometimes[name, default: 0] += happened ? 1 : 0 }
    // The order in which threads finish is chance; a sum does not depend on it.
    traceHash &+= outcome.traceHash
  }
}

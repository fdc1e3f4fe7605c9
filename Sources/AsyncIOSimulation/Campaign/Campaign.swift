internal import CSimulation

/// What a campaign of simulations has seen.
public struct CampaignReport: Sendable, CustomStringConvertible {
  /// The number of seeds that were run.
  public internal(set) var seeds = 0
  /// The number of seeds that were run twice, and went the same way.
  public internal(set) var repeated = 0
  /// The time that passed in all worlds together.
  public internal(set) var simulated: Duration = .zero
  /// The real time that the campaign took.
  public internal(set) var elapsed: Duration = .zero
  /// Packets that arrived.
  public internal(set) var deliveries = 0
  /// How often each kind of fault struck.
  public internal(set) var struck: [FaultClass: Int] = [:]
  /// What was declared to happen sometimes, and in how many worlds it did.
  public internal(set) var sometimes: [String: Int] = [:]
  /// All traces in one number: the same for the same seeds, faults and options.
  public internal(set) var traceHash: UInt64 = 0

  /// A few lines.
  public var description: String {
    let seconds = elapsed / .seconds(1)
    let speed = seconds > 0 ? (simulated / .seconds(1)) / seconds : 0
    var lines = [
      "\(seeds) seeds, \(repeated) of them twice; \(rounded(simulated / .seconds(1))) simulated seconds in "
        + "\(rounded(seconds)) s, \(rounded(speed)) times real time; \(deliveries) deliveries, "
        + "\(seconds > 0 ? Int(Double(deliveries) / seconds) : 0) a second; trace hash "
        + String(traceHash, radix: 16)
    ]
    let faults = FaultClass.allCases.compactMap { kind in struck[kind].map { "\(kind.rawValue) \($0)" } }
    if !faults.isEmpty { lines.append("faults: " + faults.joined(separator: ", ")) }
    for name in sometimes.keys.sorted() { lines.append("sometimes \"\(name)\": in \(sometimes[name]!) worlds") }
    return lines.joined(separator: "\n")
  }

  private func rounded(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
}

/// What a campaign does besides running a scenario with each seed.
public struct CampaignOptions: Sendable {
  /// The order of jobs that are ready at the same time.
  public var order = SimulationEventLoop.Order.seeded
  /// How long messages take.
  public var profile = NetworkProfile()
  /// One in this many seeds is run a second time, and must go the same way; 0 repeats none.
  public var repeatEvery: UInt64 = 20
  /// The number of worlds at a time, each in a thread of its own, from 1 to 1024; nil is one for each processor.
  public var threads: Int?
  /// Look for the fewest faults with which a failure of the same kind still happens.
  public var shrinks = true
  /// In a campaign of at least this many seeds it is a failure if something declared to happen sometimes never did.
  public var coverageSeeds = 50
  /// A run that goes on for longer, in simulated time, is a livelock.
  public var timeLimit: Duration = .seconds(24 * 3600)
  /// Called now and then with the number of seeds that are done, in threads of the campaign.
  public var progress: (@Sendable (Int) -> Void)?
  /// How a reader of a failure runs one seed of this scenario again; "%SEED" and "%FAULTS" are replaced.
  public var replay = "ASYNCIO_SEED=%SEED ASYNCIO_FAULTS=%FAULTS with the same test or program"

  /// Create the usual options.
  public init() {}
}

/// Runs one scenario with one seed, or with many.
struct Campaign: Sendable {
  typealias Scenario = @Sendable (SimulationWorld) async throws -> Void

  let faults: FaultPlan
  let options: CampaignOptions
  let scenario: Scenario

  /// The outcome of one seed.
  struct Outcome: Sendable {
    var seed: UInt64
    var failure: SimulationFailure?
    var traceHash: UInt64
    var time: Duration
    var deliveries: Int
    var struck: [FaultClass: Int]
    var sometimes: [String: Bool]
  }

  /// Run a seed once, in this thread, which runs nothing else.
  func play(_ seed: UInt64, _ faults: FaultPlan, patience: Duration = .seconds(1)) -> Outcome {
    let loop = SimulationEventLoop(seed: seed, faults: faults, order: options.order, profile: options.profile)
    let world = loop.world!
    world.timeLimit = options.timeLimit
    world.patience = patience
    let failure = loop.play(scenario)
    return Outcome(
      seed: seed, failure: failure, traceHash: world.traceHashAtEnd, time: world.timeAtEnd,
      deliveries: world.deliveries, struck: world.struck, sometimes: world.sometimes)
  }

  /// Run a seed, twice if it is its turn: the second run must go as the first one.
  func examine(_ seed: UInt64) -> (Outcome, isRepeated: Bool) {
    let outcome = play(seed, faults)
    guard options.repeatEvery > 0, seed % options.repeatEvery == 0 else { return (outcome, false) }
    let again = play(seed, faults)
    // A foreign thread goes differently each time, and its failure says why.
    guard again.traceHash != outcome.traceHash, outcome.failure?.kind != .foreignThread else { return (outcome, true) }
    var diverged = outcome
    var failure = SimulationFailure(
      .divergence,
      "the same seed went differently a second time: trace hash \(String(outcome.traceHash, radix: 16)), then "
        + "\(String(again.traceHash, radix: 16)). Something outside of the world has a part in it: the system's random "
        + "numbers or clock, an address in memory, a static variable.")
    (failure.seed, failure.faults, failure.time) = (seed, faults.drawn(by: seed), outcome.time)
    failure.traceHash = outcome.traceHash
    diverged.failure = failure
    return (diverged, true)
  }

  /// Find the same failure with as few faults as possible, by leaving out one after another.
  func shrink(_ outcome: Outcome) -> Outcome {
    guard options.shrinks, let failure = outcome.failure, failure.kind != .divergence else { return outcome }
    var best = outcome
    var plan = faults.drawn(by: outcome.seed)
    for kind in plan.classes {
      let smaller = plan.without(kind)
      // The same failure is looked for: a foreign thread that did not come within a second will not come.
      let attempt = play(outcome.seed, smaller, patience: .milliseconds(50))
      guard attempt.failure?.kind == failure.kind else { continue }
      plan = smaller
      best = attempt
    }
    return best
  }

  /// Complete a failure with the way to see it again.
  func finished(_ outcome: Outcome) -> SimulationFailure? {
    guard var failure = shrink(outcome).failure else { return nil }
    failure.replay = options.replay
      .replacing("%SEED", with: "\(outcome.seed)").replacing("%FAULTS", with: failure.faults.code)
    return failure
  }
}

extension String {
  fileprivate func replacing(_ mark: String, with text: String) -> String {
    split(separator: mark, omittingEmptySubsequences: false).joined(separator: text)
  }
}

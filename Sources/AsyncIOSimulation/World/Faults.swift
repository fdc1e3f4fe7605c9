/// The faults of one world: what its seed drew from the plan, and when each of them strikes.
///
/// Each kind has random numbers of its own, so a world without one of them goes the same way up to the moment in which
/// that fault would have struck first.
struct Faults {
  /// What this world has.
  let plan: FaultPlan
  private var rates: [Double]
  private var random: [SimulationRandom]
  /// How often each kind has struck.
  private(set) var strikes: [Int]

  init(_ plan: FaultPlan, seed: UInt64) {
    self.plan = plan
    rates = FaultClass.allCases.map { plan[$0] }
    random = FaultClass.allCases.indices.map { SimulationRandom(seed: seed, stream: 0xFA00 + UInt64($0)) }
    strikes = FaultClass.allCases.map { _ in 0 }
  }

  /// Stop: nothing goes wrong any more.
  mutating func stop() {
    rates = rates.map { _ in 0 }
  }

  /// Return whether the fault happens now.
  mutating func strike(_ kind: FaultClass) -> Bool {
    let index = kind.index
    guard rates[index] > 0, random[index].chance(rates[index]) else { return false }
    strikes[index] += 1
    return true
  }

  /// Return a number of the fault's own: how many bytes, which host.
  mutating func number(below limit: Int, for kind: FaultClass) -> Int { random[kind.index].below(limit) }

  mutating func duration(around mean: Duration, for kind: FaultClass) -> Int64 {
    random[kind.index].around(mean.nanoseconds)
  }

  /// What has struck so far.
  var struck: [FaultClass: Int] {
    var result: [FaultClass: Int] = [:]
    for (index, kind) in FaultClass.allCases.enumerated() where strikes[index] > 0 { result[kind] = strikes[index] }
    return result
  }
}

extension FaultClass {
  /// The place of a kind among all.
  fileprivate var index: Int {
    switch self {
    case .shortReads: 0
    case .shortWrites: 1
    case .spuriousReadiness: 2
    case .lateReports: 3
    case .lateCancellations: 4
    case .smallBuffers: 5
    case .slowMessages: 6
    case .lostSegments: 7
    case .resets: 8
    case .refusals: 9
    case .blackHoles: 10
    case .acceptErrors: 11
    case .socketShortage: 12
    case .partitions: 13
    case .oneWayPartitions: 14
    case .clogs: 15
    case .lostDatagrams: 16
    case .doubledDatagrams: 17
    case .reorderedDatagrams: 18
    case .slowNames: 19
    case .failedNames: 20
    case .slowThreads: 21
    }
  }
}

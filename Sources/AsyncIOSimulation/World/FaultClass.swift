/// A kind of thing that goes wrong in a simulated world, or that merely goes differently from what one would think.
public enum FaultClass: String, CaseIterable, Sendable, Codable {
  /// A read gives less than is there, down to one byte.
  case shortReads
  /// The system takes less than there is room for, down to one byte.
  case shortWrites
  /// A socket is reported as readable, and has nothing.
  case spuriousReadiness
  /// What is ready is reported later than it could be.
  case lateReports
  /// A cancelled operation ends later, and may still succeed.
  case lateCancellations
  /// Buffers are small, so that a slow reader makes the writer wait.
  case smallBuffers
  /// Some messages take much longer than others.
  case slowMessages
  /// A segment of a stream is lost, and sent again after 200 milliseconds.
  case lostSegments
  /// Connections are reset while they are used.
  case resets
  /// A connect is refused even though a listener is there.
  case refusals
  /// A connect is never answered; it fails after 127 seconds.
  case blackHoles
  /// A server finds no descriptors for a new connection, or the connection is gone before it is accepted.
  case acceptErrors
  /// A socket cannot be made: no descriptors are left.
  case socketShortage
  /// Two hosts do not hear each other for a while: a second on average, ten at most.
  case partitions
  /// One host does not hear another one, which hears it.
  case oneWayPartitions
  /// A link keeps everything back for a while, and then delivers it at once.
  case clogs
  /// Datagrams get lost.
  case lostDatagrams
  /// Datagrams come twice.
  case doubledDatagrams
  /// Datagrams overtake each other.
  case reorderedDatagrams
  /// A name is looked up for seconds.
  case slowNames
  /// A name is not found this time.
  case failedNames
  /// Work in threads takes seconds.
  case slowThreads
}

/// How often what goes wrong: for each kind of fault a share of the occasions, from 0 to 1.
public struct FaultPlan: Hashable, Sendable, CustomStringConvertible {
  private var rates: [FaultClass: Double] = [:]
  /// True if a world draws a part of the plan by its seed, about half of its faults, each at a rate of its own up to
  /// the plan's. So every seed is another climate: a fault that is always there hides what happens without it.
  public var isSwarm = false

  /// The plan without any fault.
  public static let none = FaultPlan()

  /// What a good network does on a bad day: nothing is lost for good. A swarm.
  public static let mild: FaultPlan = {
    var plan = FaultPlan()
    plan.isSwarm = true
    for kind in [FaultClass.shortReads, .shortWrites, .spuriousReadiness, .lateReports, .lateCancellations] {
      plan[kind] = 0.3
    }
    for kind in [FaultClass.smallBuffers, .slowMessages, .slowNames, .slowThreads] { plan[kind] = 0.2 }
    plan[.reorderedDatagrams] = 0.1
    plan[.lostSegments] = 0.05
    return plan
  }()

  /// Everything that can go wrong, except crashes, which are the scenario's to decide. A swarm.
  public static let hostile: FaultPlan = {
    var plan = mild
    for kind in [FaultClass.resets, .socketShortage] { plan[kind] = 0.005 }
    for kind in [FaultClass.refusals, .blackHoles, .acceptErrors, .failedNames] { plan[kind] = 0.05 }
    for kind in [FaultClass.partitions, .oneWayPartitions, .clogs] { plan[kind] = 0.3 }
    for kind in [FaultClass.lostDatagrams, .doubledDatagrams, .reorderedDatagrams] { plan[kind] = 0.15 }
    plan[.lostSegments] = 0.1
    return plan
  }()

  /// Create a plan without any fault.
  public init() {}

  /// The share of the occasions on which it happens, at most 1; 0 and less means never.
  public subscript(kind: FaultClass) -> Double {
    get { rates[kind] ?? 0 }
    set { rates[kind] = newValue > 0 ? min(1, newValue) : nil }
  }

  /// The faults that can happen, in a fixed order.
  public var classes: [FaultClass] { FaultClass.allCases.filter { self[$0] > 0 } }

  /// Return the same plan with only these faults.
  public func only(_ kinds: some Sequence<FaultClass>) -> FaultPlan {
    let kept = Set(kinds)
    var plan = self
    plan.rates = rates.filter { kept.contains($0.key) }
    return plan
  }

  /// Return the same plan without these faults.
  public func without(_ kinds: FaultClass...) -> FaultPlan {
    only(classes.filter { !kinds.contains($0) })
  }

  /// Return the part of the plan that a world has. Each fault is drawn by itself, so leaving one out changes no other.
  func drawn(by seed: UInt64) -> FaultPlan {
    guard isSwarm else { return self }
    var plan = FaultPlan()
    for (index, kind) in FaultClass.allCases.enumerated() where self[kind] > 0 {
      var random = SimulationRandom(seed: seed, stream: 0x5A00 + UInt64(index))
      if random.chance(0.5) { plan[kind] = self[kind] * (0.1 + 0.9 * random.fraction()) }
    }
    return plan
  }

  /// All rates in a word, for the environment: "resets=0.05,clogs=0.3"; "none" without faults. It does not say whether
  /// the plan is a swarm: a plan made from its code is what every world has.
  public var code: String {
    classes.isEmpty ? "none" : classes.map { "\($0.rawValue)=\(self[$0])" }.joined(separator: ",")
  }

  /// Create a plan from its code, or from a name: "none", "mild", "hostile", of which the last two are swarms. Nil for
  /// anything else.
  public init?(code: String) {
    switch code {
    case "none": self = .none
    case "mild": self = .mild
    case "hostile": self = .hostile
    default:
      self.init()
      for part in code.split(separator: ",", omittingEmptySubsequences: false) {
        let sides = part.split(separator: "=", omittingEmptySubsequences: false)
        guard sides.count == 2, let kind = FaultClass(rawValue: String(sides[0])), let rate = Double(String(sides[1])),
          (0...1).contains(rate)
        else {
          return nil
        }
        self[kind] = rate
      }
    }
  }

  /// The names of the faults.
  public var description: String {
    classes.isEmpty ? "no faults" : classes.map(\.rawValue).joined(separator: ",")
  }
}

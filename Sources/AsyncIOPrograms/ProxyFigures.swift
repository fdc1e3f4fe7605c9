internal import AsyncIO
internal import Synchronization
internal import SystemPackage

/// What a proxy counts, for one loop. Any thread may read; the loop's thread counts.
package final class ProxyFigures: Sendable {
  /// The figures besides connections.
  package enum Figure: Int, CaseIterable, Sendable {
    /// Bytes of clients that the target's connection has taken, and the other way round.
    case toTarget, toClients
    /// Clients for whom the target refused a connection, did not answer in time, or could not be reached otherwise.
    case refused, late, failed
    /// Clients that left before the target answered, that were cut because they were idle, and connections lost.
    case left, cut, lost
    /// Clients that did not agree on TLS in time, could not, or asked for a host that no target is for.
    case unprotected
  }

  /// Figures at one moment.
  package struct Snapshot: Equatable, Sendable {
    package var now = 0
    package var total = 0
    private var counts = [Int](repeating: 0, count: Figure.allCases.count)

    package init() {}

    package subscript(figure: Figure) -> Int {
      get { counts[figure.rawValue] }
      set { counts[figure.rawValue] = newValue }
    }

    /// Those of several loops together.
    package static func + (a: Snapshot, b: Snapshot) -> Snapshot {
      var sum = a
      sum.now &+= b.now
      sum.total &+= b.total
      for figure in Figure.allCases { sum[figure] &+= b[figure] }
      return sum
    }
  }

  private let now = Atomic<Int>(0)
  private let total = Atomic<Int>(0)
  private let toTarget = Atomic<Int>(0)
  private let toClients = Atomic<Int>(0)
  private let refused = Atomic<Int>(0)
  private let late = Atomic<Int>(0)
  private let failed = Atomic<Int>(0)
  private let left = Atomic<Int>(0)
  private let cut = Atomic<Int>(0)
  private let lost = Atomic<Int>(0)
  private let unprotected = Atomic<Int>(0)

  package init() {}

  func begin() {
    now.wrappingAdd(1, ordering: .relaxed)
    total.wrappingAdd(1, ordering: .relaxed)
  }

  func end() { now.wrappingSubtract(1, ordering: .relaxed) }

  func add(_ figure: Figure, _ count: Int = 1) {
    switch figure {
    case .toTarget: toTarget.wrappingAdd(count, ordering: .relaxed)
    case .toClients: toClients.wrappingAdd(count, ordering: .relaxed)
    case .refused: refused.wrappingAdd(count, ordering: .relaxed)
    case .late: late.wrappingAdd(count, ordering: .relaxed)
    case .failed: failed.wrappingAdd(count, ordering: .relaxed)
    case .left: left.wrappingAdd(count, ordering: .relaxed)
    case .cut: cut.wrappingAdd(count, ordering: .relaxed)
    case .lost: lost.wrappingAdd(count, ordering: .relaxed)
    case .unprotected: unprotected.wrappingAdd(count, ordering: .relaxed)
    }
  }

  /// Note that the target could not be reached.
  func noteFailure(_ error: any Error) { add(Self.isRefusal(error) ? .refused : .failed) }

  private static func isRefusal(_ error: any Error) -> Bool {
    switch error {
    case let error as IOError: error.errno == .connectionRefused
    case let error as ConnectError: !error.attempts.isEmpty && error.attempts.allSatisfy(isRefusal)
    default: false
    }
  }

  /// The figures now. Some may be a moment old: nothing is stopped to count.
  package var snapshot: Snapshot {
    var snapshot = Snapshot()
    snapshot.now = now.load(ordering: .relaxed)
    snapshot.total = total.load(ordering: .relaxed)
    snapshot[.toTarget] = toTarget.load(ordering: .relaxed)
    snapshot[.toClients] = toClients.load(ordering: .relaxed)
    snapshot[.refused] = refused.load(ordering: .relaxed)
    snapshot[.late] = late.load(ordering: .relaxed)
    snapshot[.failed] = failed.load(ordering: .relaxed)
    snapshot[.left] = left.load(ordering: .relaxed)
    snapshot[.cut] = cut.load(ordering: .relaxed)
    snapshot[.lost] = lost.load(ordering: .relaxed)
    snapshot[.unprotected] = unprotected.load(ordering: .relaxed)
    return snapshot
  }
}

extension ProxyFigures.Snapshot {
  /// Connections and bytes, in a line.
  package var traffic: String {
    "\(now) connections now, \(total) in all; \(self[.toTarget]) bytes to the target, \(self[.toClients]) to clients"
  }

  /// What did not go well, in a line.
  package var troubles: String {
    "target: \(self[.refused]) refused, \(self[.late]) without an answer, \(self[.failed]) failed otherwise; clients: "
      + "\(self[.unprotected]) refused at TLS, \(self[.left]) left early, \(self[.cut]) cut as idle; "
      + "\(self[.lost]) connections lost"
  }

  /// What an operator sees: all loops together, and each if there are several.
  package static func summary(_ loops: [ProxyFigures], uptime: Duration) -> [String] {
    let each = loops.map(\.snapshot)
    let sum = each.reduce(ProxyFigures.Snapshot(), +)
    let own = each.count > 1 ? each.enumerated().map { "loop \($0.offset): \($0.element.traffic)" } : []
    return ["up \(uptime.components.seconds) s; \(sum.traffic)", sum.troubles] + own
  }
}

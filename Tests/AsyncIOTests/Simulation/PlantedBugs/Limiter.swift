import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// Five within a tenth of a second, and no more.
  static let limiter = PlantedProtocol(
    name: "limiter", bugs: [.countsThenTakes, .allowsOneMore, .triesWithoutPause], faults: .none
  ) { world, bug in
    world.turnLimit = 20_000
    let limiter = Limiter(world, bug)
    let passed = Kept<[Duration]>([])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<6 {
        group.addTask {
          for _ in 0..<3 {
            try await limiter.pass()
            passed.value.append(world.now)
            world.note("passes")
            try await AsyncIO.sleep(for: world.random.around(.milliseconds(10)))
          }
        }
      }
      try await group.waitForAll()
    }
    for (first, sixth) in zip(passed.value, passed.value.dropFirst(Limiter.limit)) {
      try world.require(sixth - first >= Limiter.span, "six passed within \(sixth - first)")
    }
  }
}

/// In the loop's thread, which is what makes the unchecked conformance right.
private final class Limiter: @unchecked Sendable {
  static let limit = 5
  static let span = Duration.milliseconds(100)

  private let world: SimulationWorld
  private let bug: PlantedBug?
  private var times: [Duration] = []

  init(_ world: SimulationWorld, _ bug: PlantedBug?) { (self.world, self.bug) = (world, bug) }

  func pass() async throws {
    while true {
      times.removeAll { world.now - $0 >= Self.span }
      if bug == .allowsOneMore ? times.count <= Self.limit : times.count < Self.limit {
        if bug == .countsThenTakes { await Task.yield() }
        times.append(world.now)
        return
      }
      if bug == .triesWithoutPause {
        await Task.yield()
      } else {
        try await AsyncIO.sleep(for: times[0] + Self.span - world.now)
      }
    }
  }
}

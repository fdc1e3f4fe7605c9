import AsyncIO
import Testing

@testable import AsyncIOSimulation

/// What proves the simulator: it finds what is wrong, and nothing else.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct PlantedBugTests {
  @Test("the correct protocols survive", arguments: PlantedProtocol.all)
  func correct(_ planted: PlantedProtocol) async throws {
    let report = try await simulate(seeds: 0..<200, faults: planted.faults) { try await planted.scenario($0, nil) }
    #expect(report.seeds == 200)
    print("survives: \(planted.name): \(report.seeds) seeds in \(report.elapsed)")
  }

  @Test("every planted bug is found", arguments: PlantedBug.allCases)
  func found(_ bug: PlantedBug) async throws {
    let planted = bug.home
    let began = ContinuousClock.now
    var options = CampaignOptions()
    options.shrinks = false
    let failure = try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: 0..<1000, faults: planted.faults, options: options) {
        try await planted.scenario($0, bug)
      }
    }
    let seed = try #require(failure.seed)
    #expect(!failure.trace.isEmpty && failure.replay.contains("ASYNCIO_SEED=\(seed) "))
    print("found: \(bug.rawValue) by seed \(seed) (\(failure.kind.rawValue)), after \(ContinuousClock.now - began)")
  }
}

import AsyncIO
import AsyncIOScenarios
import AsyncIOSimulation
import Testing

/// The project, used on itself: each scenario in a thousand worlds.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct CampaignTests {
  @Test("a scenario holds in a thousand worlds", arguments: Scenario.all.map(\.name))
  func holds(_ name: String) async throws {
    let scenario = try #require(Scenario.all.first { $0.name == name })
    var options = CampaignOptions()
    options.replay = "asyncio simulate --scenario \(name) --seed %SEED --faults %FAULTS"
    let report = try await simulate(seeds: 0..<1000, faults: scenario.faults, options: options, scenario.body)
    #expect(report.seeds == 1000 && report.repeated == 50)
  }

  @Test("scenarios go by names of their own")
  func names() { #expect(Set(Scenario.all.map(\.name)).count == Scenario.all.count) }
}

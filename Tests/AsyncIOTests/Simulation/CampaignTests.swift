import AsyncIO
import AsyncIOScenarios
import AsyncIOSimulation
import Testing

/// The project, used on itself: each scenario in a hundred worlds. `asyncio simulate` runs more of them, faster.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct CampaignTests {
  @Test("a scenario holds in a hundred worlds", arguments: Scenario.all.map(\.name))
  func holds(_ name: String) async throws {
    let scenario = try #require(Scenario.all.first { $0.name == name })
    var options = CampaignOptions()
    options.replay = "asyncio simulate --scenario \(name) --seed %SEED --faults %FAULTS"
    let report = try await simulate(seeds: 0..<100, faults: scenario.faults, options: options, scenario.body)
    #expect(report.seeds == 100 && report.repeated == 5)
  }

  /// A runner runs its loop itself, so it is not a scenario inside of a world.
  @Test("A runner ends what its program leaves, in many orders")
  func runner() async throws {
    try await inThread {
      for seed in UInt64(0)..<300 {
        let (ended, worked) = (Recorder<Int>(), Recorder<Int>())
        let runner = Runner(loopFactory: { SimulationEventLoop(seed: seed, faults: .mild) })
        let value = try runner.run {
          let loop = try getRunningLoop()
          for number in 0..<5 {
            try loop.createTask {
              defer { ended.record(number) }
              try await sleep(for: .seconds(number))
            }
          }
          _ = try loop.runInExecutor { worked.record(1) }
          try await sleep(for: .milliseconds(2500))
          return ended.all.sorted()
        }
        #expect(value == [0, 1, 2], "seed \(seed)")
        let loop = try runner.getLoop()
        try runner.close()
        #expect(loop.isClosed && ended.all.sorted() == Array(0..<5) && worked.all == [1], "seed \(seed)")
      }
    }
  }

  @Test("scenarios go by names of their own")
  func names() { #expect(Set(Scenario.all.map(\.name)).count == Scenario.all.count) }
}

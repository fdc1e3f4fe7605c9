import AsyncIOSimulation
import Testing

/// What a campaign tells of a seed that fails.
@Suite(.timeLimit(.minutes(5)))
struct FailingCampaignTests {
  private struct Broken: Error {}

  @Test("A failure leaves its thread whole, however fast that thread is")
  func thread() async throws {
    for seed in 0..<300 as Range<UInt64> {
      let failure = await #expect(throws: SimulationFailure.self) {
        try await simulate(seeds: seed..<seed + 1) { _ in throw Broken() }
      }
      #expect(failure?.kind == .thrown && failure?.seed == seed)
    }
  }

  @Test("If a foreign thread makes the two runs of a seed differ, the report names the thread and not the difference")
  func foreigner() async throws {
    let failure = try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: 0..<1) { _ in await MainActor.run {} }
    }
    #expect(failure.kind == .foreignThread)
  }

  @Test("The lines of a trace have the time of the world, as the failure itself has it")
  func time() async throws {
    let failure = try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: 1..<2) { world in
        try await Task.sleep(for: .seconds(2))
        world.note("the last one")
        throw Broken()
      }
    }
    #expect(failure.time >= .seconds(2) && failure.time < .seconds(3))
    #expect(failure.trace.last?.hasPrefix("2.") == true, "\(failure)")
  }
}

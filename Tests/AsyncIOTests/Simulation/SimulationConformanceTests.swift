import AsyncIO
import AsyncIOConformance
import AsyncIOSimulation
import Testing

/// The conformance list, held against the simulation: what it offers works as on real loops.
@Suite struct SimulationConformanceTests {
  /// Those that need no process of their own; the policy of a process is no loop's business.
  static let checks = ConformanceSuite.checks.filter { $0.surroundings.isEmpty }.map(CheckArgument.init)

  @Test("checks in FIFO order, as real loops have it", arguments: checks)
  func conforms(_ argument: CheckArgument) async throws {
    let result = await ConformanceSuite.run(argument.check, limit: .seconds(60)) {
      SimulationEventLoop(seed: 1, order: .fifo)
    }
    if case .failed = result.outcome { Issue.record("\(result.description)") }
  }

  @Test("most of the list is offered")
  func offered() {
    let offered = Self.checks.filter { $0.check.capabilities.isSubset(of: SimulationEventLoop(seed: 1).capabilities) }
    #expect(offered.count >= 120)
  }
}

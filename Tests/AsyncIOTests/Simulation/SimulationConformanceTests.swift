import AsyncIO
import AsyncIOConformance
import AsyncIOSimulation
import Testing

/// The conformance list, held against the simulation: what it offers works as on real loops.
@Suite struct SimulationConformanceTests {
  @Test("checks in FIFO order, as real loops have it", arguments: ConformanceSuite.checks.map(CheckArgument.init))
  func conforms(_ argument: CheckArgument) async throws {
    await argument.run(on: "simulation") { SimulationEventLoop(seed: 1, order: .fifo) }
  }

  @Test("most of the list is offered")
  func offered() {
    let capabilities = SimulationEventLoop(seed: 1).capabilities
    #expect(ConformanceSuite.checks.count { $0.capabilities.isSubset(of: capabilities) } >= 150)
  }
}

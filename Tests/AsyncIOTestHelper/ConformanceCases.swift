import AsyncIO
import AsyncIOConformance
import AsyncIOSimulation

/// `AsyncIOTestHelper conformance <loop kind> <check>`: one check of the conformance list, in this process.
func runConformanceCheck() {
  let arguments = CommandLine.arguments.dropFirst(2)
  guard arguments.count == 2, let kind = arguments.first, let check = arguments.last else {
    fatalError("usage: AsyncIOTestHelper conformance <loop kind> <check>")
  }
  EventLoopKinds.register("simulation") { SimulationEventLoop(seed: 1, order: .fifo) }
  ConformanceSuite.runInThisProcess(check) { try EventLoopKinds.make(kind) }
}

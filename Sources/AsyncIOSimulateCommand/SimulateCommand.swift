import ArgumentParser
import AsyncIOPrograms
import AsyncIOScenarios
import AsyncIOSimulation

/// `asyncio-simulate`: the project's own campaigns, for as long as one likes.
@main
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "asyncio-simulate",
    abstract: "Run this library in simulated worlds, many seeds of them.",
    discussion: """
      Each scenario runs once for each seed: another order of events, another network, other faults. A failure prints \
      its seed, the fewest faults with which it happens, the last things that happened, and how to see it again.

      Examples:
      asyncio simulate --seeds 10000
      asyncio simulate --scenario proxy --seed 4711
      """,
    version: Version.current
  )

  /// More seeds than anybody could wait for, and few enough to be counted.
  private static let mostSeeds: UInt64 = 1_000_000_000_000

  @Option(
    parsing: .unconditional, help: "How many seeds for each scenario.",
    transform: OptionValue.number(1...Self.mostSeeds))
  var seeds: UInt64 = 1000

  @Option(
    parsing: .unconditional, help: "The first seed.",
    transform: OptionValue.number(0...UInt64.max - 1 - Self.mostSeeds))
  var from: UInt64 = 0

  @Option(parsing: .unconditional, help: "One seed only.", transform: OptionValue.number(0...UInt64.max - 1))
  var seed: UInt64?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "One scenario only: \(Self.list(Scenario.all)). To measure the speed of one world: "
        + "\(Self.list(Scenario.measured)).",
      valueName: "name"),
    transform: OptionValue.word(of: (Scenario.all + Scenario.measured).map(\.name)))
  var scenario: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What can go wrong, instead of the scenario's own plan.", valueName: "none|mild|hostile|kind=rate,..."),
    transform: Self.checkFaults)
  var faults: String?

  @Option(
    parsing: .unconditional, help: "Worlds at a time; one for each processor if it is not given.",
    transform: OptionValue.number(1...1024))
  var threads: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the world of one --scenario and --seed to a file, as a page for a browser: hosts, messages, faults.",
      valueName: "file"))
  var timeline: String?

  func validate() throws {
    if timeline != nil, seed == nil || scenario == nil {
      throw ValidationError("--timeline shows one world: give --scenario and --seed as well.")
    }
  }

  private static func checkFaults(_ text: String) throws -> String {
    guard FaultPlan(code: text) == nil else { return text }
    throw WrongValue(
      "Give none, mild, hostile, or kinds with rates from 0 to 1: resets=0.05,clogs=0.3. Kinds are: "
        + FaultClass.allCases.map(\.rawValue).joined(separator: ", ") + ".")
  }

  func run() throws {
    let range = seed.map { $0..<$0 + 1 } ?? from..<from + seeds
    var failed = 0
    for chosen in scenario.flatMap(Scenario.named).map({ [$0] }) ?? Scenario.all {
      let bar = Progress(chosen.name, total: Int(clamping: range.upperBound - range.lowerBound), unit: "seeds")
      var options = CampaignOptions()
      options.threads = threads
      options.progress = { bar.show($0) }
      options.replay = "asyncio simulate --scenario \(chosen.name) --seed %SEED --faults %FAULTS"
      let picture = timeline.map { TimelinePage(path: $0, scenario: chosen.name, seed: range.lowerBound) }
      do {
        let plan = faults.flatMap { FaultPlan(code: $0) } ?? chosen.faults
        picture?.prepare(&options)
        let report = try simulate(
          seeds: range, faults: plan, options: options, picture?.recording(chosen.body) ?? chosen.body)
        bar.end()
        print("\(chosen.name): passed. \(report)")
        try picture?.write(nil)
      } catch let failure as SimulationFailure {
        bar.end()
        print("\(chosen.name): FAILED\n\(failure)")
        if timeline == nil, !failure.replay.isEmpty {
          print("to see it as a page: \(failure.replay) --timeline world.html")
        }
        try picture?.write(failure)
        failed += 1
      }
    }
    if failed > 0 { throw ExitCode.failure }
  }

  private static func list(_ scenarios: [Scenario]) -> String { scenarios.map(\.name).joined(separator: ", ") }
}

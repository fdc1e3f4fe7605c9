import AsyncIO
import AsyncIOSimulation
import Testing

@testable import Lease

/// The lease in simulated worlds, hundreds of them in a few seconds.
@Suite(.timeLimit(.minutes(5)))
struct LeaseTests {
  /// Two services and two workers, on four machines.
  private static func scenario(
    _ world: SimulationWorld, isFenced: Bool, meanwhile: () async throws -> Void = {}
  ) async throws {
    let (locks, register) = (LockService(), Register(isFenced: isFenced))
    world.host("locks").start {
      try await serve(.bind(host: "locks", port: 1)) { noted(world, $0, locks.answer($0)) }
    }
    world.host("register").start {
      try await serve(.bind(host: "register", port: 2)) { noted(world, $0, register.answer($0)) }
    }

    world.always("every write has added one") { register.value == register.writes }
    for name in ["red", "blue"] {
      world.host(name).start {
        let worker = Worker(locks: Service(host: "locks", port: 1), register: Service(host: "register", port: 2))
        try await worker.run(increments: 10)
      }
    }
    try await meanwhile()
    try await world.eventually("both workers are done") { register.value >= 20 }
    if isFenced { world.sometimes("a lease that was over was refused", register.refusals > 0) }
  }

  /// A line for the trace: sockets and packets alone would say little to a reader.
  private static func noted(_ world: SimulationWorld, _ request: String, _ answer: String) -> String {
    world.note("\(request): \(answer)")
    return answer
  }

  /// How a failure says that it is seen again.
  private var options: CampaignOptions {
    var options = CampaignOptions()
    options.replay =
      "ASYNCIO_SEED=%SEED ASYNCIO_FAULTS=%FAULTS swift test --package-path Examples --filter LeaseTests/finds"
    return options
  }

  private func findFailure() async throws -> SimulationFailure {
    try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: 0..<300, faults: .mild, options: options) { world in
        try await Self.scenario(world, isFenced: false)
      }
    }
  }

  @Test("Without a fence there are worlds in which an increment is lost")
  func finds() async throws {
    let failure = try await findFailure()
    print(failure)
    #expect(failure.kind == .invariant)
    #expect(failure.message.contains("every write has added one"))
  }

  @Test("With a fence it survives the same campaign")
  func survives() async throws {
    let report = try await simulate(seeds: 0..<300, faults: .mild, options: options) { world in
      try await Self.scenario(world, isFenced: true)
    }
    print(report)
  }

  @Test("A worker that is cut off and one that crashes lose nothing, and get on afterwards")
  func disasters() async throws {
    try await simulate(seeds: 0..<100, faults: .mild, options: options) { world in
      try await Self.scenario(world, isFenced: true) {
        let (red, blue, register) = (world.host("red"), world.host("blue"), world.host("register"))
        try await sleep(for: .milliseconds(100))
        world.partition(red, register)
        try await sleep(for: .seconds(2))
        blue.crash()
        world.mend(red, register)
        try await sleep(for: .seconds(2))
        blue.restart()
      }
    }
  }

  @Test("The seed that was found fails in the same way each time")
  func replays() async throws {
    let found = try await findFailure()
    let seed = try #require(found.seed)
    for _ in 0..<2 {
      let again = try await #require(throws: SimulationFailure.self) {
        try await simulate(seeds: seed..<seed + 1, faults: found.faults) { world in
          try await Self.scenario(world, isFenced: false)
        }
      }
      #expect(again.traceHash == found.traceHash)
      #expect(again.time == found.time)
    }
  }
}

import AsyncIO
import AsyncIOSimulation
import Glibc
import NIOCore
import Testing

/// A Hummingbird service and its clients in simulated worlds: virtual time, a network with faults, crashes of the
/// server. Each request ends in one of three ways, each answer is that of its request, and nothing hangs.
@Suite("A Hummingbird service in simulated worlds", .timeLimit(.minutes(30)))
struct SimulationTests {
  /// How many seeds: 100, or what `ASYNCIO_CAMPAIGN` says.
  static var seeds: Range<UInt64> {
    0..<(getenv("ASYNCIO_CAMPAIGN").flatMap { UInt64(String(cString: $0)) } ?? 100)
  }

  @Test("Without faults everything is answered", arguments: [FaultPlan.none, .mild])
  func calm(faults: FaultPlan) async throws {
    let report = try await simulate(seeds: Self.seeds, faults: faults) { world in
      // Where messages are slow and buffers have room for some bytes, a request's head may take a minute.
      try await Self.clients(world, Ledger(idleTimeout: .hours(1)), isCalm: true)
    }
    print(report)
  }

  @Test("With faults a request is answered, lost or over its time, and what was promised holds")
  func hostile() async throws {
    let report = try await simulate(seeds: Self.seeds, faults: .hostile) { world in
      try await Self.clients(world, Ledger())
    }
    print(report)
  }

  @Test(
    "A planted mistake is found, and its seed leads to it again",
    arguments: [Ledger.Mistake.takesPartOfABody, .countsRepetitions])
  func mistake(_ mistake: Ledger.Mistake) async throws {
    let failure = try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: 0..<1000, faults: .hostile) { try await Self.clients($0, Ledger(mistake)) }
    }
    let seed = try #require(failure.seed)
    // Not shrunk once more, which may find still fewer faults.
    var changing = CampaignOptions()
    changing.shrinks = false
    let options = changing
    let again = try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: seed..<seed + 1, faults: failure.faults, options: options) {
        try await Self.clients($0, Ledger(mistake))
      }
    }
    #expect(again.message == failure.message && again.traceHash == failure.traceHash)
    print("\(mistake): \(failure)")
  }

  /// Three clients do requests; then the network heals, and the ledger must have what it promised.
  @Sendable private static func clients(_ world: SimulationWorld, _ ledger: Ledger, isCalm: Bool = false) async throws {
    let server = world.host("server")
    server.start { try await ledger.serve() }
    try await sleep(for: .seconds(1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<3 {
        group.addTask {
          try await world.host("client \(number)").run {
            for turn in 0..<6 { try await request(number * 100 + turn, world, ledger, isCalm) }
          }
        }
      }
      if !isCalm, world.random.chance(0.3) {
        try await sleep(for: world.random.around(.seconds(20)))
        server.crash()
        try await sleep(for: world.random.around(.seconds(10)))
        server.restart()
        world.sometimes("the server crashes")
      }
      try await group.waitForAll()
    }
    world.heal()
    for (number, entry) in ledger.entries {
      try world.require(entry == body(number), "a part of entry \(number) is left")
    }
    try world.require(
      ledger.total == ledger.entries.count, "\(ledger.total) entries were taken, of \(ledger.entries.count) numbers")
    try await world.host("auditor").run {
      try await world.eventually("a healed network answers") {
        try await Outcome.of("GET /slow/0").answer?.text == "0"
      }
    }
  }

  private static func body(_ number: Int) -> [UInt8] {
    (0..<(number * 7919 % 30_000)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
  }

  /// One request by one client, of a kind that chance decides.
  private static func request(
    _ number: Int, _ world: SimulationWorld, _ ledger: Ledger, _ isCalm: Bool
  ) async throws {
    let body = body(number)
    // Without lost connections everything is answered, if it has the time: messages may be slow.
    let limit = isCalm ? Duration.seconds(600) : .seconds(20)
    switch world.random.below(4) {
    case 0:
      let outcome = try await Outcome.of("POST /echo", body: body, within: limit)
      try check(outcome, world, isCalm) { $0.status == 200 && $0.body == body }
    case 1:
      let seconds = world.random.below(40)
      let outcome = try await Outcome.of("GET /slow/\(seconds)", within: limit)
      if outcome == .timedOut { world.sometimes("an answer takes too long") }
      try check(outcome, world, isCalm) { $0.status == 200 && $0.text == "\(seconds)" }
    default:
      try await put(body, as: number, world, ledger, isCalm)
      try world.require(ledger.entry(number) == body, "entry \(number) was promised, and is another one")
      let outcome = try await Outcome.of("GET /entries/\(number)", within: limit)
      try check(outcome, world, isCalm) { $0.status == 200 && $0.body == body }
    }
  }

  /// Say an entry again and again until it is taken. What the ledger has of it meanwhile is all of it.
  private static func put(
    _ body: [UInt8], as number: Int, _ world: SimulationWorld, _ ledger: Ledger, _ isCalm: Bool
  ) async throws {
    for attempt in 1... {
      let outcome = try await Outcome.of(
        "PUT /entries/\(number)", body: body, within: isCalm ? .seconds(600) : .seconds(20))
      try check(outcome, world, isCalm) { $0.status == 201 }
      if outcome.answer != nil {
        if !isCalm { world.sometimes("an entry takes more than one attempt", attempt > 1) }
        return
      }
      if let kept = ledger.entry(number) { try world.require(kept == body, "a part of entry \(number) was taken") }
      try await sleep(for: world.random.around(.seconds(3)))
    }
  }

  private static func check(
    _ outcome: Outcome, _ world: SimulationWorld, _ isCalm: Bool, _ isRight: (Answer) -> Bool
  ) throws {
    switch outcome {
    case .answered(let answer):
      try world.require(isRight(answer), "a wrong answer: \(answer.status), \(answer.body.count) bytes")
    case .lost, .timedOut:
      try world.require(!isCalm, "\(outcome) without a fault")
      world.sometimes("a request is \(outcome)")
    }
  }
}

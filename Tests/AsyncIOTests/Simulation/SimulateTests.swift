import AsyncIO
import Synchronization
import Testing

@testable import AsyncIOSimulation

/// Campaigns: what they find, what they tell of it, and what they do not miss.
@Suite(.timeLimit(.minutes(5)))
struct SimulateTests {
  /// Fail if two tasks meet in one order of several.
  @Sendable private static func canary(_ world: SimulationWorld) async throws {
    let first = Kept(-1)
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<6 {
        group.addTask {
          await Task.yield()
          if first.value < 0 { first.value = number }
        }
      }
    }
    world.note("task \(first.value) was first")
    try world.require(first.value != 5, "the canary sings")
  }

  @Test("A canary is found, reported, and found again by its seed alone")
  func canary() async throws {
    let failure = try await failureOf(seeds: 0..<200, faults: .hostile, Self.canary)
    #expect(failure.kind == .invariant)
    #expect(failure.message.hasPrefix("the canary sings (AsyncIOTests/SimulateTests.swift:"))
    let seed = try #require(failure.seed)
    #expect(failure.trace.contains { $0.hasSuffix("note: task 5 was first") })
    // It needs no faults, so the report has none.
    #expect(failure.replay == "ASYNCIO_SEED=\(seed) ASYNCIO_FAULTS=none with the same test or program")
    #expect("\(failure)".contains(failure.replay) && "\(failure)".contains("seed \(seed)"))
    for _ in 0..<3 {
      let again = await playOne(seed, Self.canary)
      #expect(again.failure?.message == failure.message)
      #expect(again.failure?.traceHash == failure.traceHash && again.failure?.trace == failure.trace)
    }
    let alone = try await failureOf(seeds: seed..<seed + 1, Self.canary)
    #expect(alone.traceHash == failure.traceHash)
  }

  @Test("The lowest seed that fails is reported, no matter which thread was faster", arguments: [1, 2, 5])
  func lowest(threads: Int) async throws {
    var options = CampaignOptions()
    options.threads = threads
    for _ in 0..<5 {
      let failure = try await failureOf(seeds: 0..<100, options: options) { world in
        // The lower, the longer it takes.
        for _ in 0..<(100 - Int(world.seed)) { await Task.yield() }
        try world.require(world.seed < 17, "from 17 on")
      }
      #expect(failure.seed == 17)
    }
  }

  @Test("A campaign that fails can be run many times at once")
  func failing() async throws {
    try await withThrowingTaskGroup(of: UInt64?.self) { group in
      for seed in 0..<40 as Range<UInt64> {
        group.addTask {
          try await failureOf(seeds: seed..<seed + 1) { world in try world.require(false, "always") }.seed
        }
      }
      var seeds: Set<UInt64> = []
      for try await seed in group { if let seed { seeds.insert(seed) } }
      #expect(seeds.count == 40)
    }
  }

  @Test("A failure that needs one fault is reported with it alone", arguments: [FaultClass.refusals, .lostDatagrams])
  func shrinks(kind: FaultClass) async throws {
    var plan = FaultPlan.hostile
    plan.isSwarm = false
    let failure = try await failureOf(seeds: 0..<300, faults: plan) { world in
      let server = SocketAddress(ipLiteral: world.host("server").addresses[1], port: 9)!
      await world.host("client").run {
        for _ in 0..<5 {
          if kind == .refusals {
            // Nobody listens on this host; a refusal by the network comes also for one that is down.
            do { _ = try await withTimeout(.seconds(1)) { try await StreamConnection.connect(to: server) } } catch {}
          } else if let endpoint = try? await DatagramEndpoint.bind(host: world.host("client").addresses[1], port: 0) {
            try? await endpoint.send([1], to: server)
            endpoint.close()
          }
        }
      }
      try world.require(world.struck[kind] == nil, "struck")
    }
    #expect(failure.faults.classes == [kind])
    #expect(failure.faults[kind] == FaultPlan.hostile[kind])
    #expect(FaultPlan(code: failure.faults.code) == failure.faults)
    #expect(failure.replay.contains(failure.faults.code))
  }

  @Test("Without shrinking, a failure is reported as it is")
  func whole() async throws {
    var options = CampaignOptions()
    (options.shrinks, options.replay) = (false, "run %SEED with %FAULTS, %SEED")
    let failure = try await failureOf(seeds: 3..<4, faults: .always(.clogs, 0.5), options: options) { world in
      try world.require(false, "always")
    }
    #expect(failure.faults == .always(.clogs, 0.5))
    #expect(failure.replay == "run 3 with clogs=0.5, 3")
  }

  @Test("One seed in twenty is run twice, or as many as are asked for")
  func repeats() async throws {
    #expect(try await simulate(seeds: 0..<100) { _ in }.repeated == 5)
    var options = CampaignOptions()
    options.repeatEvery = 1
    #expect(try await simulate(seeds: 7..<19, options: options) { _ in }.repeated == 12)
    options.repeatEvery = 0
    #expect(try await simulate(seeds: 0..<100, options: options) { _ in }.repeated == 0)
  }

  @Test("What comes from outside of the world is found")
  func divergence() async throws {
    let random = try await failureOf(seeds: 0..<20) { world in
      world.note("\(UInt64.random(in: 0 ... .max))")
    }
    #expect(random.kind == .divergence)
    #expect(random.seed == 0)
    let gate = SharedNumber()
    let kept = try await failureOf(seeds: 20..<40) { world in
      for _ in 0..<gate.next() { await Task.yield() }
    }
    #expect(kept.kind == .divergence && kept.seed == 20)
  }

  /// A static variable, as it were.
  private final class SharedNumber: Sendable {
    private let number = Atomic<Int>(0)
    func next() -> Int { number.add(1, ordering: .relaxed).newValue }
  }

  @Test("A campaign fails if something that has to happen sometimes never does")
  func coverage() async throws {
    let failure = try await failureOf(seeds: 0..<60) { world in
      world.sometimes("an even seed", world.seed % 2 == 0)
      world.sometimes("the moon is blue", false)
    }
    #expect(failure.kind == .unreached && failure.seed == nil)
    #expect(failure.message.contains("\"the moon is blue\" happened in none of 60 worlds"))
    let report = try await simulate(seeds: 0..<60) { world in
      world.sometimes("an even seed", world.seed % 2 == 0)
      if world.seed == 13 { world.sometimes("thirteen") }
    }
    #expect(report.sometimes == ["an even seed": 30, "thirteen": 1])
    // Too few to say.
    #expect(try await simulate(seeds: 0..<10) { $0.sometimes("never", false) }.sometimes == ["never": 0])
  }

  @Test("Progress is reported after each seed")
  func progress() async throws {
    let told = Recorder<Int>()
    var options = CampaignOptions()
    options.progress = { told.record($0) }
    let report = try await simulate(seeds: 10..<60, options: options) { world in
      try await AsyncIO.sleep(for: .seconds(2))
      _ = world.host("a")
    }
    #expect(told.all.sorted() == Array(1...50))
    #expect(report.seeds == 50 && report.simulated >= .seconds(100) && report.elapsed < .seconds(100))
  }

  @Test("Two campaigns over the same seeds give the same result, with any number of threads")
  func reports() async throws {
    var one = CampaignOptions()
    one.threads = 1
    let scenario = PlantedProtocol.framed.scenario
    let first = try await simulate(seeds: 0..<30, faults: .hostile, options: one) { try await scenario($0, nil) }
    let second = try await simulate(seeds: 0..<30, faults: .hostile) { try await scenario($0, nil) }
    #expect(first.traceHash == second.traceHash && first.struck == second.struck)
    #expect(first.simulated == second.simulated && first.deliveries == second.deliveries)
    #expect("\(first)".contains("30 seeds, 2 of them twice"))
  }

  @Test("An empty range of seeds is a campaign of nothing")
  func empty() async throws {
    #expect(try await simulate(seeds: 5..<5) { _ in Issue.record("run") }.seeds == 0)
  }
}

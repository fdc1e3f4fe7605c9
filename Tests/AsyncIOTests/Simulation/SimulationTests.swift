import AsyncIO
import SystemPackage
import Testing

@testable import AsyncIOSimulation

/// What a simulated world is, apart from its network.
@Suite(.timeLimit(.minutes(5)))
struct SimulationTests {
  /// Play one seed.
  private func play(
    _ seed: UInt64 = 1, faults: FaultPlan = .none, order: SimulationEventLoop.Order = .seeded,
    _ scenario: @escaping @Sendable (SimulationWorld) async throws -> Void
  ) async -> Campaign.Outcome {
    var options = CampaignOptions()
    options.order = order
    let campaign = Campaign(faults: faults, options: options, scenario: scenario)
    return await withCheckedContinuation { continuation in
      startThread { continuation.resume(returning: campaign.play(seed, faults)) }
    }
  }

  @Test("Hours pass in no time; every clock shows the world's")
  func time() async throws {
    let outcome = await play { world in
      let before = (ContinuousClock.now, SuspendingClock.now, world.now)
      try await Task.sleep(for: .seconds(3600))
      try await AsyncIO.sleep(for: .seconds(3600))
      let hours = Duration.seconds(7200)
      #expect(ContinuousClock.now - before.0 == world.now - before.2)
      #expect(SuspendingClock.now - before.1 == world.now - before.2)
      #expect(world.now - before.2 >= hours && world.now - before.2 < hours + .milliseconds(1))
    }
    #expect(outcome.failure == nil)
  }

  @Test("Tasks without a preference, actors, groups and detached tasks stay in the world")
  func closed() async throws {
    actor Counter {
      var value = 0
      func add() { value += 1 }
    }
    let outcome = await play { _ in
      let counter = Counter()
      #expect((try? getRunningLoop()) is SimulationEventLoop)
      try await Task {
        try await Task.sleep(for: .seconds(1))
        await counter.add()
        #expect((try? getRunningLoop()) is SimulationEventLoop)
      }.value
      await Task.detached { await counter.add() }.value
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<10 { group.addTask { await counter.add() } }
      }
      #expect(await counter.value == 12)
    }
    #expect(outcome.failure == nil)
  }

  @Test("A seed gives the same run each time, and other seeds give others; the order of a Set is part of it")
  func determinism() async throws {
    @Sendable func scenario(_ world: SimulationWorld) async throws {
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<8 {
          group.addTask {
            await Task.yield()
            world.note("\(number) \(Set(["a", "b", "c", "d"]).joined()) \(world.random.below(100))")
          }
        }
      }
    }
    let first = await play(7, scenario)
    #expect(first.failure == nil)
    for _ in 0..<20 { #expect(await play(7, scenario).traceHash == first.traceHash) }
    var hashes: Set<UInt64> = []
    for seed in 0..<20 { hashes.insert(await play(UInt64(seed), scenario).traceHash) }
    #expect(hashes.count == 20)
  }

  @Test("In FIFO order jobs run as they came")
  func fifo() async throws {
    let order = Recorder<Int>()
    for _ in 0..<5 {
      _ = await play(3, order: .fifo) { _ in
        await withTaskGroup(of: Void.self) { group in
          for number in 0..<8 { group.addTask { order.record(number) } }
        }
      }
    }
    #expect(order.all == (0..<5).flatMap { _ in 0..<8 })
  }

  @Test("A deadlock is found at once, and says who waits")
  func deadlock() async throws {
    let outcome = await play { world in
      let future = world.loop.createFuture(of: Void.self)
      try await future.get()
    }
    let failure = try #require(outcome.failure)
    #expect(failure.kind == .deadlock)
    #expect(failure.message.contains("the scenario"))
  }

  @Test("A deadlock is found even while the weather changes")
  func deadlockInBadWeather() async throws {
    let outcome = await play(faults: .hostile.only([.partitions, .clogs])) { world in
      for name in ["a", "b", "c"] { _ = world.host(name) }
      try await world.loop.createFuture(of: Void.self).get()
    }
    #expect(outcome.failure?.kind == .deadlock)
    #expect(outcome.time < .seconds(60))
  }

  @Test("A program that never ends is found")
  func livelock() async throws {
    let outcome = await play { world in
      world.turnLimit = 10_000
      while true { await Task.yield() }
    }
    #expect(outcome.failure?.kind == .livelock)
  }

  @Test("The main actor and foreign threads end a simulation with an error that names them")
  func foreigners() async throws {
    let main = await play { _ in await MainActor.run {} }
    #expect(main.failure?.kind == .foreignThread)
    #expect(main.failure?.message.contains("main actor") == true)
    let thread = await play { _ in
      // A thread that is faster than the task's suspension is not seen: the task then goes on without the loop.
      for _ in 0..<100 { await withCheckedContinuation { continuation in startThread { continuation.resume() } } }
    }
    #expect(thread.failure?.kind == .foreignThread)
    #expect(thread.failure?.message.contains("\"test\"") == true)
  }

  @Test("Work in threads is simulated")
  func threads() async throws {
    let outcome = await play(faults: .mild) { world in
      let loop = world.loop
      let values = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<20 { group.addTask { try await loop.runInExecutor(nil) { number }.get() } }
        return try await group.reduce(0, +)
      }
      #expect(values == 190)
      await loop.shutdownDefaultExecutor()
    }
    #expect(outcome.failure == nil)
  }

  @Test("A world is freed with its loop, no matter what its programs captured")
  func memory() async throws {
    let remains = Remains()
    try await inThread {
      let loop = SimulationEventLoop(seed: 1, faults: .mild)
      remains.world = loop.world
      let failure = loop.play { world in
        world.always("time goes on") { world.now >= .zero }
        world.host("server").start {
          let listener = try await StreamListener.bind(host: "server", port: 7)
          try await listener.serve { connection in world.note("\(connection)") }
        }
        try await sleep(for: .seconds(10))
      }
      if let failure { throw failure }
    }
    #expect(remains.world == nil)
  }

  /// Written in one thread, read when that has ended.
  private final class Remains: @unchecked Sendable { weak var world: SimulationWorld? }

  @Test("The environment's request for a replay is read, or refused with the correct form")
  func environment() throws {
    #expect(try Replay.seed(nil) == nil && Replay.seed("4711") == 4711)
    #expect(try Replay.faults("mild") == .mild && Replay.faults("resets=0.5")?[.resets] == 0.5)
    for text in ["abc", "-1", "", "18446744073709551615"] {
      let error = #expect(throws: SimulationFailure.self) { try Replay.seed(text) }
      #expect(error?.kind == .configuration && error?.message.contains("whole number") == true)
    }
    for text in ["much", "resets", "resets=x", "rests=0.5", "resets=2", "resets=-1", "resets=nan"] {
      let error = #expect(throws: SimulationFailure.self) { try Replay.faults(text) }
      #expect(error?.kind == .configuration && error?.message.contains("resets") == true)
    }
  }

  @Test("Pipes and other numbers of the system are refused by name")
  func numbersOfTheSystem() async throws {
    let outcome = await play { _ in
      let ends = try makePipe()
      let error = try await failure(EventLoopError.self) { _ = try PipeReader(owning: ends.read) }
      #expect(error.code == .notOffered && error.description.contains("sockets only"))
      let child = try await failure(EventLoopError.self) { _ = try await ChildProcess.spawn("true") }
      #expect(child.code == .notOffered)
      // The ends are the caller's.
      try FileDescriptor(rawValue: ends.read).close()
      try FileDescriptor(rawValue: ends.write).close()
    }
    #expect(outcome.failure == nil)
  }

  @Test("A policy replays a whole program by its seed")
  func policy() async throws {
    @Sendable func run(_ seed: UInt64) throws -> UInt64 {
      let policy = SimulationEventLoopPolicy(seed: seed)
      let loop = try #require(try policy.newEventLoop() as? SimulationEventLoop)
      defer { try? loop.close() }
      try loop.run {
        await withTaskGroup(of: Void.self) { group in
          for number in 0..<8 { group.addTask { loop.world.note("\(number)") } }
        }
      }
      return loop.world.traceHash
    }
    let (a, b, c) = try await (inThread { try run(4711) }, inThread { try run(4711) }, inThread { try run(4712) })
    #expect(a == b && a != c)
  }
}

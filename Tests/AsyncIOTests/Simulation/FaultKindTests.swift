import AsyncIO
import SystemPackage
import Testing

@testable import AsyncIOSimulation

/// Each kind of fault: what it does, and that it strikes.
@Suite(.timeLimit(.minutes(5)))
struct FaultKindTests {
  /// Numbers that were sent as datagrams from one host to another, as they arrive.
  private func datagrams(_ plan: FaultPlan, seed: UInt64 = 1) async -> [UInt8] {
    let arrived = Kept<[UInt8]>([])
    let outcome = await playOne(seed, faults: plan) { world in
      let (a, b) = (world.host("a"), world.host("b"))
      b.start {
        let endpoint = try await DatagramEndpoint.bind(host: b.addresses[1], port: 9)
        defer { endpoint.close() }
        while true { arrived.value += try await endpoint.receive().bytes }
      }
      try await AsyncIO.sleep(for: .seconds(1))
      try await a.run {
        let endpoint = try await DatagramEndpoint.bind(host: a.addresses[1], port: 0)
        for number in 0..<50 as Range<UInt8> {
          try await endpoint.send([number], to: SocketAddress(ipLiteral: b.addresses[1], port: 9)!)
        }
        endpoint.close()
      }
      try await AsyncIO.sleep(for: .seconds(10))
    }
    #expect(outcome.failure == nil)
    return arrived.value
  }

  @Test("Datagrams get lost, come twice, overtake each other; without a fault they do not")
  func datagrams() async {
    let numbers = Array(0..<50 as Range<UInt8>)
    #expect(await datagrams(.none) == numbers)
    #expect(await datagrams(.always(.lostDatagrams)).isEmpty)
    let some = await datagrams(.always(.lostDatagrams, 0.5))
    #expect(some.count > 10 && some.count < 40 && some == some.sorted())
    #expect(await datagrams(.always(.doubledDatagrams)).sorted() == numbers.flatMap { [$0, $0] })
    let mixed = await datagrams(.always(.reorderedDatagrams))
    #expect(mixed != numbers && mixed.sorted() == numbers)
  }

  @Test("A full backlog is silent, and lets in when there is room")
  func backlog() async {
    let outcome = await playOne { world in
      let (a, b) = (world.host("a"), world.host("b"))
      let listener = try await b.run { try await StreamListener.bind(host: b.addresses[1], port: 80, backlog: 2) }
      defer { listener.close() }
      let connections = Kept<[StreamConnection]>([])
      for _ in 0..<3 {
        a.start {
          connections.value.append(try await StreamConnection.connect(host: b.addresses[1], port: 80))
        }
      }
      try await AsyncIO.sleep(for: .seconds(10))
      #expect(connections.value.count == 2)
      let first = try await listener.accept()
      try await world.eventually("the third is let in", within: .seconds(20)) { connections.value.count == 3 }
      for connection in connections.value + [first] { connection.close() }
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }

  @Test("A host without descriptors refuses sockets, and its server pauses and goes on")
  func shortage() async {
    let outcome = await playOne { world in
      let (a, b) = (world.host("a"), world.host("b"))
      let (served, reports) = (Kept(0), Recorder<String>())
      world.loop.exceptionHandler = { _, context in reports.record(context.message) }
      b.socketLimit = 2
      b.start {
        try await StreamListener.bind(host: b.addresses[1], port: 80).serve { connection in
          served.value += 1
          _ = try await connection.read(upTo: 1)
        }
      }
      try await AsyncIO.sleep(for: .seconds(1))
      let error = await #expect(throws: IOError.self) {
        let first = try await b.run { try await DatagramEndpoint.bind(host: b.addresses[1], port: 0) }
        defer { first.close() }
        _ = try await b.run { try await DatagramEndpoint.bind(host: b.addresses[1], port: 0) }
      }
      #expect(error?.errno == .tooManyOpenFiles)
      let first = try await a.run { try await StreamConnection.connect(host: b.addresses[1], port: 80) }
      let second = try await a.run { try await StreamConnection.connect(host: b.addresses[1], port: 80) }
      try await AsyncIO.sleep(for: .seconds(5))
      #expect(served.value == 1)
      first.close()
      try await world.eventually("the second is served", within: .seconds(3)) { served.value == 2 }
      second.close()
      #expect(reports.all.contains { $0.hasPrefix("out of resources for new connections") })
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }

  @Test("Look-ups take seconds or fail; a connect is refused, or never answered for 127 seconds")
  func names() async {
    func connect(_ kind: FaultClass, host: String? = nil) async -> (took: Duration, error: (any Error)?) {
      let result = Kept<(Duration, (any Error)?)>((.zero, nil))
      let outcome = await playOne(faults: .always(kind)) { world in
        let (a, b) = (world.host("a"), world.host("b"))
        let began = world.now
        do {
          try await a.run { try await StreamConnection.connect(host: host ?? b.addresses[1], port: 80) }.close()
        } catch {
          result.value.1 = error
        }
        result.value.0 = world.now - began
      }
      #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
      return result.value
    }
    let hole = await connect(.blackHoles)
    #expect((hole.error as? IOError)?.errno == .timedOut)
    #expect(hole.took >= .seconds(127) && hole.took < .seconds(128))
    let refused = await connect(.refusals)
    #expect((refused.error as? IOError)?.errno == .connectionRefused && refused.took < .seconds(1))
    let failed = await connect(.failedNames, host: "b")
    #expect(failed.error is ResolutionError && failed.took < .seconds(1))
    let slow = await connect(.slowNames, host: "b")
    #expect(slow.took > .milliseconds(50))
  }

  @Test("Every kind of fault strikes in a campaign that does everything")
  func everyKind() async throws {
    var plan = FaultPlan.hostile
    for kind in FaultClass.allCases { plan[kind] = max(plan[kind], 0.02) }
    plan.isSwarm = false
    let report = try await simulate(seeds: 0..<40, faults: plan) { world in
      try await PlantedProtocol.framed.scenario(world, nil)
      world.serve("echo") { connection in try await connection.forEachChunk { try await connection.write($0) } }
      try await world.host("client").run {
        try await world.retrying {
          let connection = try await withTimeout(.seconds(5)) {
            try await StreamConnection.connect(host: "echo", port: 80)
          }
          defer { connection.close() }
          try await connection.write("hello")
          _ = try await withTimeout(.seconds(5)) { try await connection.readExactly(5) }
        }
      }
      _ = try? await world.loop.runInExecutor(nil) { 1 }.get()
      await world.loop.shutdownDefaultExecutor()
    }
    let datagrams = try await simulate(seeds: 0..<20, faults: plan) { world in
      try await PlantedProtocol.exactlyOnce.scenario(world, nil)
    }
    let struck = report.struck.merging(datagrams.struck, uniquingKeysWith: +)
    for kind in FaultClass.allCases { #expect(struck[kind] ?? 0 > 0, "\(kind) never strikes") }
  }

  @Test("In FIFO order a program that relies on it gets through; in a seeded one it does not")
  func fifo() async throws {
    var options = CampaignOptions()
    options.order = .fifo
    let scenario = PlantedProtocol.lines.scenario
    let report = try await simulate(seeds: 0..<20, options: options) { try await scenario($0, .answersAsTasksEnd) }
    #expect(report.seeds == 20)
    _ = try await failureOf(seeds: 0..<20) { try await scenario($0, .answersAsTasksEnd) }
  }
}

import AsyncIO
import AsyncIOSimulation

/// What a tester gives to a simulation.
func probeSimulation(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  await probeRandom(probe)
  await probeWorlds(probe)
}

private func probeRandom(_ probe: NumberProbe) async {
  await probe.each("SimulationRandom.init(seed:stream:)", Extreme.uint64s) { value in
    var random = SimulationRandom(seed: value, stream: value)
    _ = random.next()
  }
  await probe.each("SimulationRandom.below(_:)", Extreme.ints) { value in
    var random = SimulationRandom(seed: 1)
    for _ in 0..<20 { _ = random.below(value) }
  }
  await probe.each("SimulationRandom.around(_:)", Extreme.durations) { value in
    var random = SimulationRandom(seed: 1)
    for _ in 0..<200 { _ = random.around(value) }
  }
  await probe.each("SimulationRandom.chance(_:)", Extreme.doubles) { value in
    var random = SimulationRandom(seed: 1)
    _ = random.chance(value)
  }
  await probe.each("FaultPlan.subscript(_:)", Extreme.doubles) { value in
    var plan = FaultPlan()
    for kind in FaultClass.allCases { plan[kind] = value }
    _ = (plan.code, plan.classes)
  }
}

/// One world that does a little of everything.
@Sendable private func echo(_ world: SimulationWorld) async throws {
  let listener = try await StreamListener.bind(host: "localhost", port: 7)
  let client = try await StreamConnection.connect(host: "localhost", port: 7)
  try await client.write("x")
  _ = try await listener.accept().read(upTo: 1)
  let (a, b) = (world.host("a"), world.host("b"))
  b.start {
    let endpoint = try await DatagramEndpoint.bind(host: "b", port: 7)
    _ = try await endpoint.receive()
    endpoint.close()
  }
  try await a.run {
    let endpoint = try await DatagramEndpoint.bind(host: "a", port: 0)
    let address = try await getRunningLoop().getaddrinfo(host: "b", port: 7, type: .datagram)[0].address
    try await endpoint.send([1], to: address)
    endpoint.close()
  }
  client.close()
  listener.close()
}

/// A failure is an error like any other.
private func play(
  _ seeds: Range<UInt64> = 0..<1, faults: FaultPlan = .none, options: CampaignOptions = CampaignOptions(),
  _ scenario: @escaping @Sendable (SimulationWorld) async throws -> Void = echo
) async throws {
  var options = options
  options.shrinks = false
  _ = try await simulate(seeds: seeds, faults: faults, options: options, scenario)
}

private func probeWorlds(_ probe: NumberProbe) async {
  await probe.each("NetworkProfile.init(latency:jitter:bandwidth:)", Extreme.durations) { value in
    var options = CampaignOptions()
    options.profile = NetworkProfile(latency: value, jitter: value)
    try await play(faults: .mild, options: options)
  }
  await probe.each("NetworkProfile.bandwidth", Extreme.ints) { value in
    var options = CampaignOptions()
    options.profile.bandwidth = value
    try await play(options: options)
  }
  probe.also("NetworkProfile.latency", "NetworkProfile.jitter")
  await probe.each("CampaignOptions.timeLimit", Extreme.durations) { value in
    var options = CampaignOptions()
    options.timeLimit = value
    try await play(options: options)
  }
  await probe.each("CampaignOptions.threads", Extreme.ints) { value in
    var options = CampaignOptions()
    (options.threads, options.coverageSeeds) = (value, value)
    try await play(0..<2, options: options)
  }
  probe.also("CampaignOptions.coverageSeeds")
  await probe.each("CampaignOptions.repeatEvery", Extreme.uint64s) { value in
    var options = CampaignOptions()
    options.repeatEvery = value
    try await play(options: options)
  }
  await probe.each("simulate(seeds:faults:options:_:)", [0..<0, .max..<(.max), 0..<(.max)] as [Range<UInt64>]) {
    struct Enough: Error {}
    try await play($0) { _ in throw Enough() }
  }
  await probe.each("SimulationWorld.eventually(_:within:_:)", Extreme.durations) { value in
    try await play { world in
      var looks = 0
      try await world.eventually("it comes", within: value) {
        looks += 1
        return looks > 2
      }
    }
  }
  await probe.each("SimulationWorld.clog(from:to:for:)", Extreme.durations) { value in
    try await play { world in
      world.clog(from: world.host("a"), to: world.host("b"), for: value)
      try await echo(world)
    }
  }
  await probe.each("SimulationHost.socketLimit", Extreme.ints) { value in
    try await play { world in
      world.host("a").socketLimit = value
      try await echo(world)
    }
  }
  await probe.each("SimulationEventLoop.init(seed:faults:order:profile:traceLength:)", Extreme.ints) { value in
    let loop = SimulationEventLoop(seed: UInt64(truncatingIfNeeded: value), traceLength: value)
    try loop.close()
  }
  await probe.each("SimulationEventLoopPolicy.init(seed:faults:)", Extreme.uint64s) { value in
    try SimulationEventLoopPolicy(seed: value).newEventLoop().close()
  }
}

import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// A lock on another machine, which ends by itself after a second.
  static let lease = PlantedProtocol(
    name: "lease",
    bugs: [.countsLeaseFromAnswer, .worksPastLease, .releasesWithoutNumber, .forgetsLeasesInCrash, .takesOldGrant],
    faults: .hostile
  ) { world, bug in
    let server = world.host("server")
    let isFirst = Kept(true)
    server.start("server") {
      let endpoint = try await world.endpoint("server", port: 9)
      var leases = LeaseServer(world, bug, isFirst: isFirst.value)
      isFirst.value = false
      try await leases.run(endpoint)
    }
    let (inside, done) = (Kept(0), Kept(0))
    world.always("one at a time has the lock") { inside.value <= 1 }
    for name in ["a", "b", "c"] {
      world.host(name).start("client") {
        try await LeaseClient(name, world, bug).run(inside)
        done.value += 1
      }
    }
    try await world.crashOnce(server, within: .seconds(4), down: .milliseconds(200))
    try await world.eventually("everybody gets the lock", within: .seconds(1200)) { done.value == 3 }
  }
}

enum Lease {
  static let term = Duration.seconds(1)
}

private struct LeaseServer {
  private let world: SimulationWorld
  private let bug: PlantedBug?
  private var holder: String?
  private var end = Duration.zero
  private var number = 0
  private var round = ""

  init(_ world: SimulationWorld, _ bug: PlantedBug?, isFirst: Bool) {
    (self.world, self.bug) = (world, bug)
    // What it gave before a crash goes on, for a term at most.
    if !isFirst, bug != .forgetsLeasesInCrash { (holder, end) = ("nobody", world.now + Lease.term) }
    number = Int(world.now / .nanoseconds(1))
  }

  mutating func run(_ endpoint: DatagramEndpoint) async throws {
    defer { endpoint.close() }
    while true {
      guard let (words, sender) = try await endpoint.hear(within: .seconds(3600)) else { continue }
      let name = words[1]
      if words[0] == "release" {
        if bug == .releasesWithoutNumber || (holder == name && words[2] == "\(number)") { holder = nil }
        continue
      }
      if holder == nil || world.now >= end {
        (holder, end, round) = (name, world.now + Lease.term, words[2])
        number += 1
      } else if holder != name || round != words[2] {
        continue
      }
      try await endpoint.say(["granted", round, "\(number)"], to: sender)
    }
  }
}

private struct LeaseClient {
  private let name: String
  private let world: SimulationWorld
  private let bug: PlantedBug?

  init(_ name: String, _ world: SimulationWorld, _ bug: PlantedBug?) {
    (self.name, self.world, self.bug) = (name, world, bug)
  }

  func run(_ inside: Kept<Int>) async throws {
    let endpoint = try await world.endpoint(name)
    defer { endpoint.close() }
    let server = SocketAddress(ipLiteral: world.address("server"), port: 9)!
    var (round, sections) = (0, 0)
    while sections < 3 {
      round += 1
      var end = world.now + Lease.term
      try await endpoint.say(["acquire", name, "\(round)"], to: server)
      guard let number = try await grant(endpoint, "\(round)") else { continue }
      if bug == .countsLeaseFromAnswer { end = world.now + Lease.term }
      await work(until: end, inside)
      try await endpoint.say(["release", name, number], to: server)
      sections += 1
      try await AsyncIO.sleep(for: .milliseconds(5))
    }
  }

  private func grant(_ endpoint: DatagramEndpoint, _ round: String) async throws -> String? {
    let deadline = world.now + .milliseconds(300)
    while world.now < deadline {
      guard let (words, _) = try await endpoint.hear(within: .milliseconds(300)) else { return nil }
      if words[1] == round || bug == .takesOldGrant { return words[2] }
    }
    return nil
  }

  /// Several steps, each of them only if the lease is long enough.
  private func work(until end: Duration, _ inside: Kept<Int>) async {
    let steps = 1 + world.random.below(20)
    let step = Duration.milliseconds(80)
    for _ in 0..<steps {
      guard world.now + step + .milliseconds(2) < end || bug == .worksPastLease else { return }
      inside.value += 1
      try? await AsyncIO.sleep(for: step)
      inside.value -= 1
    }
  }
}

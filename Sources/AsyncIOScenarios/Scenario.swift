package import AsyncIOSimulation

/// A scenario of a campaign: what happens in each world, and what can go wrong in it.
package struct Scenario: Sendable {
  /// One word.
  package let name: String
  /// What it demands of the project.
  package let summary: String
  package let faults: FaultPlan
  package let body: @Sendable (SimulationWorld) async throws -> Void

  init(
    _ name: String, _ summary: String, faults: FaultPlan,
    _ body: @escaping @Sendable (SimulationWorld) async throws -> Void
  ) {
    (self.name, self.summary, self.faults) = (name, summary, faults)
    self.body = { world in
      try world.refuseReports()
      try await body(world)
    }
  }

  /// All of them, in the order in which they are run.
  package static let all: [Scenario] =
    streams + reading + floods + servers + stops + crashes + transports + borders + connecting + proxies
    + protectedProxies
    + proxyLimits
    + datagrams + sockets + names + tasks + composition + locks + queues + channels + frames + shutdowns
    + protectedStreams + protectedRaces

  /// These do not look for faults: they show the speed of one world. They run only by name, in good weather.
  package static let measured: [Scenario] = loads

  /// The one of this name.
  package static func named(_ name: String) -> Scenario? { (all + measured).first { $0.name == name } }
}

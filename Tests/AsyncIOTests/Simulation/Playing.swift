import AsyncIO
import Testing

@testable import AsyncIOSimulation

/// Play one seed in a thread of its own.
func playOne(
  _ seed: UInt64 = 1, faults: FaultPlan = .none, options: CampaignOptions = CampaignOptions(),
  _ scenario: @escaping @Sendable (SimulationWorld) async throws -> Void
) async -> Campaign.Outcome {
  let campaign = Campaign(faults: faults, options: options, scenario: scenario)
  return await withCheckedContinuation { continuation in
    startThread { continuation.resume(returning: campaign.play(seed, faults)) }
  }
}

/// The failure of a campaign, which must have one.
func failureOf(
  seeds: Range<UInt64>, faults: FaultPlan = .none, options: CampaignOptions = CampaignOptions(),
  _ scenario: @escaping @Sendable (SimulationWorld) async throws -> Void
) async throws -> SimulationFailure {
  try await #require(throws: SimulationFailure.self) {
    try await simulate(seeds: seeds, faults: faults, options: options, scenario)
  }
}

extension FaultPlan {
  /// One kind of fault only, whenever there is an occasion unless a rate is given.
  static func always(_ kind: FaultClass, _ rate: Double = 1) -> FaultPlan {
    var plan = FaultPlan()
    plan[kind] = rate
    return plan
  }
}

extension SimulationWorld {
  /// A connection between two hosts, and its two ends: the client's and the server's. Nothing else is left of it.
  func connected(
    _ client: SimulationHost, _ server: SimulationHost, port: UInt16 = 80
  ) async throws -> (StreamConnection, StreamConnection) {
    let listener = try await server.run { try await StreamListener.bind(host: server.addresses[1], port: port) }
    defer { listener.close() }
    async let accepted = listener.accept()
    let made = try await client.run { try await StreamConnection.connect(host: server.addresses[1], port: port) }
    return (made, try await accepted)
  }
}

/// Something that tasks of a scenario share. All in the loop's thread, which is what makes the unchecked conformance
/// right.
final class Kept<Value>: @unchecked Sendable {
  var value: Value
  init(_ value: Value) { self.value = value }
}

/// The other end has gone where it must not.
struct PeerGone: Error {}

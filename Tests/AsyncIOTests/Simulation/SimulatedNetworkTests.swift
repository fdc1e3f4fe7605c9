import AsyncIO
import SystemPackage
import Testing

@testable import AsyncIOSimulation

/// The network of a simulated world.
@Suite(.timeLimit(.minutes(5)))
struct SimulatedNetworkTests {
  @Test("A client of another host is served, byte for byte, whatever goes wrong that TCP makes good")
  func echo() async throws {
    let report = try await simulate(seeds: 0..<300, faults: .mild) { world in
      let server = world.host("server")
      server.start("echo") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          try await connection.forEachChunk { chunk in try await connection.write(chunk) }
        }
      }
      let client = world.host("client")
      try await client.run {
        let connection = try await retrying(world) { try await StreamConnection.connect(host: "server", port: 7) }
        var total = 0
        for _ in 0..<5 {
          let count = 1 + world.random.below(20_000)
          let bytes = numbered(total..<total + count)
          async let answer = connection.readExactly(count)
          try await connection.write(bytes)
          try world.require(try await answer == bytes, "the answer is another one")
          total += count
        }
        connection.close()
      }
    }
    #expect(report.seeds == 300)
  }

  @Test(
    "Sockets go with their world: given up, unread, not accepted, of hosts that crashed",
    arguments: 0..<20 as Range<UInt64>)
  func memory(seed: UInt64) async throws {
    let remains = Remains()
    var plan = FaultPlan.none
    plan[.blackHoles] = 0.5
    try await simulate(seeds: seed..<seed + 1, faults: plan, options: remains.options) { world in
      let (a, b) = (world.host("a"), world.host("b"))
      b.start("mute") {
        try await StreamListener.bind(host: "b", port: 7).serve { _ in try await sleep(for: .seconds(9)) }
      }
      b.start("deaf") {
        let listener = try await StreamListener.bind(host: "b", port: 8)
        try await sleep(for: .milliseconds(60))
        listener.close()
      }
      a.start("passers-by") {
        for _ in 0..<3 { try? await StreamConnection.connect(host: "b", port: 8).close() }
      }
      a.start("clients") {
        await withThrowingTaskGroup(of: Void.self) { group in
          for number in 0..<6 {
            group.addTask {
              let limit = Duration.milliseconds(number * 20)
              try await withTimeout(limit) {
                let connection = try await StreamConnection.connect(host: "b", port: 7)
                try await connection.write("nobody reads this")
                try await sleep(for: .seconds(9))
              }
            }
          }
          while let result = await group.nextResult() { _ = result }
        }
      }
      try await a.run {
        let endpoint = try await DatagramEndpoint.bind(host: "a", port: 9)
        for _ in 0..<5 { try await endpoint.send("to itself".utf8.map(\.self), to: endpoint.localAddress!) }
        try await sleep(for: .milliseconds(50))
        remains.take(world)
        endpoint.close()
      }
      if world.random.chance(0.5) { a.crash() }
      if world.random.chance(0.5) { b.crash() }
    }
    #expect(remains.count == 0)
  }

  @Test("So does one that somebody outside of the world has, and lets go when the world has ended")
  func memoryOfKept() async throws {
    let remains = Remains()
    let kept = Kept<StreamConnection?>(nil)
    let failure = await #expect(throws: SimulationFailure.self) {
      try await simulate(seeds: 0..<1, options: remains.options) { world in
        let (near, far) = try await world.connected(world.host("client"), world.host("server"))
        kept.value = near
        remains.take(world)
        far.close()
      }
    }
    #expect(failure?.kind == .leak)
    kept.value = nil
    #expect(remains.taken > 0 && remains.count == 0)
  }

  /// What was there, by weak references. Used by one thread after the other.
  private final class Remains: @unchecked Sendable {
    private struct Weak { weak var object: AnyObject? }
    private var all: [Weak] = []
    var options: CampaignOptions {
      var options = CampaignOptions()
      options.repeatEvery = 0
      return options
    }
    var taken: Int { all.count }
    var count: Int { all.count { $0.object != nil } }

    func take(_ world: SimulationWorld) {
      for case let socket? in world.network.sockets {
        let waiting = (socket.listener?.queue ?? []).flatMap { [$0, $0.other] }
        for object in [socket, socket.stream, socket.stream?.other, socket.inbox] + waiting as [AnyObject?] {
          all.append(Weak(object: object))
        }
      }
    }
  }

  /// Until a server listens.
  private func retrying<R: Sendable>(_ world: SimulationWorld, _ body: @Sendable () async throws -> R) async throws -> R
  {
    while true {
      do { return try await body() } catch is ConnectError { try await AsyncIO.sleep(for: .milliseconds(10)) }
    }
  }
}

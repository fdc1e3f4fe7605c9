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

  /// Until a server listens.
  private func retrying<R: Sendable>(_ world: SimulationWorld, _ body: @Sendable () async throws -> R) async throws -> R
  {
    while true {
      do { return try await body() } catch is ConnectError { try await AsyncIO.sleep(for: .milliseconds(10)) }
    }
  }
}

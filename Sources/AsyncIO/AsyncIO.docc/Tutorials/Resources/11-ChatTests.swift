import AsyncIO
import AsyncIOSimulation
import Testing

@testable import Chat

/// The chat in simulated worlds: hours in a second, over a network that is late and loses packets.
@Suite struct ChatTests {
  /// A server on the host "server", which runs until `stop` is set.
  private func start(in world: SimulationWorld, until stop: Event = Event()) {
    world.host("server").start {
      let listener = try await StreamListener.bind(host: "server", port: 7000)
      try await ChatServer(listener: listener).run(until: stop)
      world.note("the server has stopped")
    }
  }

  /// A guest on a host of its own.
  private func guest(_ name: String, in world: SimulationWorld) async throws -> StreamConnection {
    try await world.host(name).run { try await StreamConnection.connect(host: "server", port: 7000) }
  }

  @Test func everybodyHearsEveryLine() async throws {
    try await simulate(seeds: 0..<200, faults: .mild) { world in
      start(in: world)
      try await sleep(for: .seconds(1))
      let ada = try await guest("ada", in: world)
      defer { ada.close() }
      // A connected guest is in the room when this line has come, and not before.
      try world.require(try await ada.readLine() == "guest 1 is here", "Ada is guest 1")
      let alan = try await guest("alan", in: world)
      defer { alan.close() }
      try world.require(try await alan.readLine() == "guest 2 is here", "Alan is guest 2")
      for number in 1...20 { try await ada.write("line \(number)\n") }
      for number in 1...20 {
        let line = try await alan.readLine()
        try world.require(line == "guest 1: line \(number)", "Alan heard \(line ?? "the end")")
      }
    }
  }
}

internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Many deliveries in one world, over streams and as datagrams.
  static let loads: [Scenario] = [
    Scenario("exchanges", "64 streams, on each of which 5,000 messages go there and back", faults: .none) { world in
      world.host("server").start("echo") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          try await connection.forEachChunk { chunk in try await connection.write(chunk) }
        }
      }
      try await world.host("client").run {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<64 { group.addTask { try await exchange(world, 5_000) } }
          try await group.waitForAll()
        }
      }
    },
    Scenario("flood", "500,000 datagrams to one socket", faults: .none) { world in
      let receiver = try await world.host("receiver").run { try await DatagramEndpoint.bind(host: "receiver", port: 9) }
      defer { receiver.close() }
      let count = 500_000
      let sending = try world.task(on: "sender") { try await send(count) }
      var received = 0
      while received < count { try await receiver.withDatagram { _, _ in received += 1 } }
      try await sending.get()
    },
  ]
}

private func exchange(_ world: SimulationWorld, _ messages: Int) async throws {
  let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 7) }
  defer { connection.close() }
  let message = [UInt8](repeating: 1, count: 64)
  for _ in 0..<messages {
    try await connection.write(message)
    try world.require(try await connection.readExactly(64) == message, "the echo is another one")
  }
}

/// In portions that the receiver's buffer takes.
private func send(_ count: Int) async throws {
  let endpoint = try await DatagramEndpoint.connect(host: "receiver", port: 9)
  defer { endpoint.close() }
  let datagram = [UInt8](repeating: 1, count: 64)
  for number in 0..<count {
    try await endpoint.send(datagram)
    if number % 500 == 499 { try await sleep(for: .milliseconds(1)) }
  }
}

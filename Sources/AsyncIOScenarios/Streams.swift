internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Streams, as clients and servers use them.
  static let streams: [Scenario] = [
    Scenario(
      "echo", "Streams carry bytes in order, whatever TCP makes good", faults: .mild
    ) { world in
      let server = world.host("server")
      server.start("echo") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          try await connection.forEachChunk { chunk in try await connection.write(chunk) }
        }
      }
      try await world.host("client").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 7) }
        for _ in 0..<5 {
          let bytes = (0..<1 + world.random.below(20_000)).map { _ in UInt8(truncatingIfNeeded: world.random.next()) }
          async let answer = connection.readExactly(bytes.count)
          try await connection.write(bytes)
          try world.require(try await answer == bytes, "the answer is another one")
        }
        connection.close()
      }
    }
  ]
}

extension SimulationWorld {
  /// Tries until somebody listens, and the network lets it through.
  func untilConnected(_ connect: @Sendable () async throws -> StreamConnection) async throws -> StreamConnection {
    while true {
      do { return try await connect() } catch is ConnectError {} catch is ResolutionError {}
      try await sleep(for: .milliseconds(10))
    }
  }
}

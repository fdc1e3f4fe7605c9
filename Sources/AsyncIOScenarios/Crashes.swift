internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Hosts that crash.
  static let crashes: [Scenario] = [
    Scenario(
      "crash", "What a server has acknowledged is there after a crash, once and in order", faults: .hostile
    ) { world in
      // The disk: what is on it outlives the host.
      let disk = Ledger<Int>()
      let server = world.host("server")
      server.start("log") {
        let listener = try await world.listen(on: "server", 7)
        try await listener.serve { connection in
          while let line = try await connection.readLine() {
            guard let number = Int(line) else { return world.fail("a line is broken: \(line)") }
            // It was asked before, and the number is there already.
            if number == disk.entries.count { disk.entries.append(number) }
            try await connection.write("\(number)\n")
          }
        }
      }
      let acknowledged = Counter()
      world.always("what is acknowledged is on the disk") { acknowledged.value <= disk.entries.count }
      let client = try world.task(on: "client") {
        var connection: StreamConnection?
        defer { connection?.close() }
        while acknowledged.value < 8 {
          do {
            try await withTimeout(.seconds(2)) {
              if connection == nil { connection = try await StreamConnection.connect(host: "server", port: 7) }
              guard let open = connection else { return }
              try await open.write("\(acknowledged.value)\n")
              guard let line = try await open.readLine() else { throw EarlyEnd() }
              try world.require(line == "\(acknowledged.value)", "\(acknowledged.value) was acknowledged as \(line)")
              acknowledged.add()
            }
            try await world.pause(around: .milliseconds(100))
          } catch  where error.isWeather {
            connection?.close()
            connection = nil
            try await sleep(for: .milliseconds(20))
          }
        }
      }
      let storms = try world.task(on: "chaos") {
        for _ in 0..<2 {
          try await world.pause(around: .milliseconds(400))
          world.sometimes("the server crashes half-way", (1..<8).contains(acknowledged.value))
          server.crash()
          try await world.pause(around: .milliseconds(300))
          server.restart()
        }
      }
      try await world.storm([storms, client])
      try world.require(disk.entries == Array(0..<8), "the disk has \(disk.entries)")
    }
  ]
}

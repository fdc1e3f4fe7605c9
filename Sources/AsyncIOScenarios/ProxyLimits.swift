internal import AsyncIO
internal import AsyncIOPrograms
internal import AsyncIOSimulation

extension Scenario {
  /// The limits of the proxy that `asyncio proxy` runs, and the clients that they hit or must not hit.
  static let proxyLimits: [Scenario] = [
    Scenario(
      "slowreader", "A proxy tears nothing from a reader that goes on reading, however little at a time", faults: .mild
    ) { world in
      // More than the buffers on the way hold.
      let count = 300_000 + world.random.below(200_000)
      let limit = Duration.seconds(10)
      startSpeaker(world, count, closes: true)
      _ = startProxy(world, toServer(idleTimeout: limit))
      try await world.host("client").run {
        try await readAll(world, count) {
          // Always less than the limit; all of it takes many limits.
          try await sleep(for: .milliseconds(500 + world.random.below(4500)))
        }
      }
    },
    Scenario(
      "keptwords", "A cut loses nothing of what the proxy has written, and nothing that is cut short looks whole",
      faults: .mild
    ) { world in
      let isWhole = world.random.chance(0.5)
      // What fits into the buffers, or more than that.
      let count = world.random.chance(0.5) ? 1000 : 2_000_000
      startSpeaker(world, count, closes: isWhole)
      let figures = startProxy(world, toServer(idleTimeout: .seconds(5)))
      try await world.host("client").run {
        let connection = try await world.untilConnected {
          try await StreamConnection.connect(host: "proxy", port: 8080)
        }
        defer { connection.close() }
        // Long enough for the proxy to release it.
        try await sleep(for: .seconds(60))
        var read = 0
        var isLost = false
        do {
          while case let piece = try await connection.read(upTo: 10_000), !piece.isEmpty { read += piece.count }
        } catch  where error.isWeather { isLost = true }
        let written = figures.snapshot[.toClients]
        world.sometimes("a stream is cut short", read < count)
        try world.require(read == count || isLost, "\(read) of \(count) bytes, and then an end, as if that was all")
        if isWhole, written == count {
          world.sometimes("a stream is cut that has ended")
          try world.require(read == count && !isLost, "\(read) of \(written) bytes that were written arrived")
        }
      }
      try await world.eventually("the proxy lets go") { figures.snapshot.now == 0 }
    },
    Scenario(
      "silenttarget", "A target that does not answer holds a client for so long and no longer", faults: .mild
    ) { world in
      let byConnecting = world.random.chance(0.5)
      let limit = Duration.seconds(8)
      let proxy = toSilence(
        world, idleTimeout: byConnecting ? nil : limit, connectTimeout: byConnecting ? limit : nil)
      let figures = startProxy(world, proxy, mayFail: true)
      try await world.host("client").run {
        let connection = try await world.untilConnected {
          try await StreamConnection.connect(host: "proxy", port: 8080)
        }
        defer { connection.close() }
        let says = world.random.chance(0.5)
        if says { try await connection.write("hello") }
        let began = world.now
        do {
          while case let piece = try await connection.read(upTo: 10), !piece.isEmpty {}
        } catch  where error.isWeather {}
        let time = world.now - began
        try world.require(time < limit + .seconds(3), "held for \(time)")
        try world.require(time > limit - .seconds(3), "given up after \(time)")
      }
      try await world.eventually("the place is free") { figures.snapshot.now == 0 }
    },
    Scenario(
      "earlyleaver", "A client that leaves while the proxy connects gives up its place at once", faults: .mild
    ) { world in
      let proxy = toSilence(world, idleTimeout: nil, connectTimeout: nil)
      let figures = startProxy(world, proxy, places: 2)
      for number in 0..<4 {
        let client = try world.task(on: "client \(number)") {
          let connection = try await world.untilConnected {
            try await StreamConnection.connect(host: "proxy", port: 8080)
          }
          if world.random.chance(0.5) { try await connection.write("hello") }
          try await world.pause(around: .seconds(1))
          switch world.random.below(3) {
          case 0: connection.close()
          case 1: connection.abort()
          default:
            world.sometimes("a client ends its stream and waits")
            try connection.writeEOF()
            do { _ = try await connection.readToEnd() } catch  where error.isWeather {}
            connection.close()
          }
        }
        try await client.get()
      }
      // Only their leaving frees places here.
      try await withTimeout(.seconds(30)) {
        while figures.snapshot.total < 4 || figures.snapshot.now > 0 { try await sleep(for: .milliseconds(100)) }
      }
      try world.require(figures.snapshot[.left] == 4, "\(figures.snapshot[.left]) of 4 have left")
    },
  ]
}

/// A proxy on a host of its own, and what it counts.
private func startProxy(
  _ world: SimulationWorld, _ proxy: Proxy, places: Int = 10, mayFail: Bool = false
) -> ProxyFigures {
  let figures = ProxyFigures()
  world.host("proxy").start("proxy") {
    let listener = try await world.listen(on: "proxy", 8080)
    try await listener.serve(maximumConnections: places) { client in
      do {
        try await proxy.forward(client, figures)
      } catch is ProxyError where mayFail {
        world.sometimes("a target is given up")
      }
    }
  }
  return figures
}

/// A proxy whose target never answers.
private func toSilence(_ world: SimulationWorld, idleTimeout: Duration?, connectTimeout: Duration?) -> Proxy {
  Proxy(Proxy.Options(idleTimeout: idleTimeout, connectTimeout: connectTimeout)) {
    try await sleep(for: .seconds(100_000))
    throw EarlyEnd()
  }
}

/// Start a server that sends this many bytes to each client, and closes or waits for the client's end.
private func startSpeaker(_ world: SimulationWorld, _ count: Int, closes: Bool) {
  world.host("server").start("speaker") {
    let listener = try await world.listen(on: "server", 80)
    try await listener.serve { connection in
      try await connection.write([UInt8](repeating: 120, count: count))
      if !closes { _ = try await connection.readToEnd() }
    }
  }
}

/// Read this many bytes and the end, with a pause after each piece.
private func readAll(_ world: SimulationWorld, _ count: Int, _ pause: () async throws -> Void) async throws {
  let connection = try await world.untilConnected { try await StreamConnection.connect(host: "proxy", port: 8080) }
  defer { connection.close() }
  var read = 0
  while case let piece = try await connection.read(upTo: 4000), !piece.isEmpty {
    read += piece.count
    try await pause()
  }
  try world.require(read == count, "\(read) of \(count) bytes arrived")
}

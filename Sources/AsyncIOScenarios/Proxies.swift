internal import AsyncIO
internal import AsyncIOPrograms
internal import AsyncIOSimulation

extension Scenario {
  /// The proxy that `asyncio proxy` runs, between clients and a server on hosts of their own.
  static let proxies: [Scenario] = [
    Scenario(
      "proxy", "A proxy passes on every byte, half-closes as half-closes and losses as losses",
      faults: {
        var plan = FaultPlan.hostile
        plan[.resets] = 0.03
        return plan
      }()
    ) { world in
      startUpstream(world)
      world.host("proxy").start("proxy") {
        let proxy = toServer(idleTimeout: .seconds(20))
        let listener = try await world.listen(on: "proxy", 8080)
        try await listener.serve(maximumConnections: 3) { try await proxy.forward($0, ProxyFigures()) }
      }
      let clients = try (0..<3).map { number in
        try world.task(on: "client \(number % 2)") {
          var tries = 0
          while try await !converse(world) {
            tries += 1
            try await sleep(for: .milliseconds(20))
          }
          world.sometimes("a client tries again", tries > 0)
        }
      }
      let chaos = try world.task(on: "chaos") {
        guard world.random.chance(0.3) else { return }
        try await world.pause(around: .milliseconds(20))
        world.host("proxy").crash()
        try await world.pause(around: .milliseconds(300))
        world.host("proxy").restart()
      }
      try await world.storm(clients + [chaos])
    },
    Scenario(
      "idle", "A proxy cuts who is silent, and nobody else", faults: .mild
    ) { world in
      startUpstream(world)
      world.host("proxy").start("proxy") {
        let proxy = toServer(idleTimeout: .seconds(60))
        let listener = try await world.listen(on: "proxy", 8080)
        try await listener.serve { try await proxy.forward($0, ProxyFigures()) }
      }
      try await world.host("client").run {
        let connection = try await world.untilConnected {
          try await StreamConnection.connect(host: "proxy", port: 8080)
        }
        defer { connection.close() }
        for _ in 0..<world.random.below(4) {
          try await connection.write("x")
          try world.require(try await connection.readExactly(1) == [120], "the answer is another one")
          try await sleep(for: .seconds(40))
        }
        // This is the first thing that the proxy learns of it, at the latest.
        try await connection.write("y")
        try world.require(try await connection.readExactly(1) == [121], "the answer is another one")
        let silent = world.now
        var isCut = false
        do { isCut = try await connection.read(upTo: 1).isEmpty } catch  where error.isWeather { isCut = true }
        let time = world.now - silent
        try world.require(isCut && time > .seconds(50) && time < .seconds(70), "cut after \(time)")
      }
    },
    Scenario(
      "drain", "A proxy that drains lets those end whom it serves, for so long and no longer", faults: .mild
    ) { world in
      startUpstream(world)
      let limit = Duration.seconds(5)
      let listening = Ledger<StreamListener>()
      let proxying = try world.task(on: "proxy") {
        let proxy = toServer(idleTimeout: .seconds(300))
        let listener = try await world.listen(on: "proxy", 8080)
        listening.entries.append(listener)
        let report = try await listener.serve(maximumConnections: 10, drain: limit) {
          try await proxy.forward($0, ProxyFigures())
        }
        world.sometimes("a client that does not end is cut", !report.unfinished.isEmpty)
      }
      let (done, cut) = (Counter(), Counter())
      let clients = try (0..<3).map { number in
        try world.task(on: "client \(number)") {
          // One of them would never end.
          let isEndless = number == 0 && world.random.chance(0.3)
          do {
            let connection = try await StreamConnection.connect(host: "proxy", port: 8080)
            defer { connection.close() }
            repeat {
              try await connection.write("x")
              try world.require(try await connection.readExactly(1) == [120], "the answer is another one")
              try await world.pause(around: isEndless ? .milliseconds(200) : .milliseconds(5))
            } while isEndless
            try connection.writeEOF()
            try world.require(try await connection.readToEnd() == trailer, "the end is another one")
            done.add()
          } catch  where error.isWeather { cut.add() }
        }
      }
      try await world.pause(around: .milliseconds(20))
      try await world.eventually("the proxy is there") { !listening.entries.isEmpty }
      let began = world.now
      listening.entries[0].close()
      try await proxying.get()
      try world.require(world.now - began < limit + .seconds(1), "draining took \(world.now - began)")
      for client in clients { try await client.get() }
      world.sometimes("a client ends while the proxy drains", done.value > 0)
      world.sometimes("a client comes too late", cut.value > 0)
    },
  ]
}

/// What the server says when its client has said everything.
private let trailer = Array("goodbye".utf8)

/// The proxy of the scenarios.
func toServer(idleTimeout: Duration?, connectTimeout: Duration? = nil) -> Proxy {
  Proxy(Proxy.Options(idleTimeout: idleTimeout, connectTimeout: connectTimeout)) {
    try await StreamConnection.connect(host: "server", port: 80)
  }
}

/// Send back what comes, and a word at the end.
func startUpstream(_ world: SimulationWorld, tls: TLSContext? = nil) {
  world.host("server").start("echo") {
    let listener = try await world.listen(on: "server", 80)
    try await listener.serve { connection in
      if let tls { try await connection.startTLS(tls) }
      try await connection.forEachChunk { chunk in try await connection.write(chunk) }
      try await connection.write(trailer)
    }
  }
}

/// Hold one conversation through the proxy. Returns `false` if the weather ended it.
func converse(_ world: SimulationWorld, tls: TLSContext? = nil) async throws -> Bool {
  let bytes = world.bytes(1 + world.random.below(4000))
  do {
    return try await withTimeout(.seconds(30)) {
      let connection =
        if let tls {
          try await StreamConnection.connect(host: "proxy", port: 8080, tls: tls)
        } else {
          try await StreamConnection.connect(host: "proxy", port: 8080)
        }
      defer { connection.close() }
      async let sent: Void = send(bytes, on: connection, world)
      var read: [UInt8] = []
      var loss: (any Error)?
      do {
        while case let chunk = try await connection.read(upTo: 5000), !chunk.isEmpty { read += chunk }
      } catch { loss = error }
      let expected = bytes + trailer
      try world.require(expected.starts(with: read), "what came back is not what was sent")
      try await sent
      if let loss { throw loss }
      // An end of the stream without a loss must be the end of the whole of it.
      try world.require(
        read == expected, "\(read.count) of \(expected.count) bytes, and then the end, as if that was all")
      return true
    }
  } catch  where error.isWeather {
    world.sometimes("a client hears of a loss", error is IOError || error is TLSError)
    return false
  }
}

private func send(_ bytes: [UInt8], on connection: StreamConnection, _ world: SimulationWorld) async throws {
  try await world.write(bytes, inPiecesOf: 1500, on: connection) {
    if world.random.chance(0.3) { try await world.pause(around: .milliseconds(100)) }
  }
  try connection.writeEOF()
}

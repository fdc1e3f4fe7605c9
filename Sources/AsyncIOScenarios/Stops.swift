internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Programs that are asked to stop while they serve.
  static let stops: [Scenario] = [
    Scenario(
      "stopping", "A program that stops answers what it has begun, cuts the rest in time, and says whom", faults: .mild
    ) { world in
      let limit = Duration.seconds(2)
      let (running, cut, idle, late) = (Counter(), Counter(), Counter(), Counter())
      let isForced = world.random.chance(0.2)
      let stops = Ledger<GracefulStop>()
      let program = try world.task(on: "server") {
        let tasks = Counter()
        let report = try await withGracefulStop(on: [], drain: limit) { stop in
          try stop.createTask(name: "ticker") {
            tasks.add()
            defer { tasks.add(-1) }
            while try await stop.unlessRequested({ try await world.pause(around: .milliseconds(5)) }) != nil {}
          }
          let listeners = [try await world.listen(on: "server", 7), try await world.listen(on: "server", 8)]
          stops.entries.append(stop)
          async let other = listeners[1].serve(until: stop) {
            try await answer($0, until: stop, world, running, cut, idle)
          }
          try await listeners[0].serve(maximumConnections: 2, until: stop) {
            try world.require(!listeners[0].isClosed || stop.isRequested, "it serves without a listener")
            try await answer($0, until: stop, world, running, cut, idle)
          }
          _ = try await other
        }
        try world.require(running.value == 0 && tasks.value == 0, "a handler or a task outlived its scope")
        try world.require(report.wasRequested && (isForced || !report.wasForced), "the report is wrong: \(report)")
        // Everybody who was cancelled is named. Some who are named came to their end just then.
        let named = report.unfinished.filter { $0.name != "the body" && $0.name != "ticker" }
        try world.require(named.count >= cut.value, "\(cut.value) were cut, and the report is \(report)")
        try world.require(idle.value == 0 || report.wasForced, "an idle client was kept until the end of the time")
        try world.require(report.duration < limit + .seconds(1), "it took \(report.duration)")
        world.sometimes("a client is cut", !named.isEmpty)
        world.sometimes("everybody ends in time", report.unfinished.isEmpty)
      }
      let clients = try (0..<4).map { number in
        try world.task(on: "client \(number)") {
          let isEndless = number == 0 && world.random.chance(0.3)
          do {
            let port: UInt16 = number % 2 == 0 ? 7 : 8
            let connection = try await StreamConnection.connect(host: "server", port: port)
            defer { connection.close() }
            // One of them has nothing to say.
            if number == 3 { return _ = try await connection.readToEnd() }
            repeat {
              // A slow question, so that the stop comes in the middle of it. Half a question has no answer.
              try await connection.write("que")
              try await world.pause(around: isEndless ? .seconds(1) : .milliseconds(5))
              try await connection.write("stion\n")
              guard let line = try await connection.readLine() else { break }
              try world.require(line == "answer", "the answer is \(line)")
            } while true
          } catch  where error.isWeather { late.add() }
        }
      }
      try await world.pause(around: .milliseconds(20))
      try await world.eventually("the server is there") { !stops.entries.isEmpty }
      world.sometimes("clients are served at the request", running.value > 0)
      stops.entries[0].request()
      if isForced {
        try await world.pause(around: .milliseconds(10))
        stops.entries[0].cancelNow()
      }
      try await program.get()
      for client in clients { try await client.get() }
      world.sometimes("a client comes too late", late.value > 0)
    }
  ]
}

/// Answer questions until a stop is requested: one that has begun is answered, the wait for another one is not held.
private func answer(
  _ connection: StreamConnection, until stop: GracefulStop, _ world: SimulationWorld, _ running: Counter,
  _ cut: Counter,
  _ idle: Counter
) async throws {
  running.add()
  defer { running.add(-1) }
  var isIdle = true
  do {
    while let first = try await stop.unlessRequested({ try await connection.read(upTo: 1) }), !first.isEmpty {
      isIdle = false
      guard try await connection.readLine() == "uestion" else { return }
      try await world.pause(around: .milliseconds(10))
      try await connection.write("answer\n")
      isIdle = true
    }
  } catch is CancellationError {
    cut.add()
    if isIdle { idle.add() }
    throw CancellationError()
  }
}

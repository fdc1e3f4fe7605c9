internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Servers of streams.
  static let servers: [Scenario] = [
    Scenario(
      "crowd", "A server takes no more connections than it may, and everybody has a turn", faults: .hostile
    ) { world in
      let (running, served) = (Counter(), Counter())
      world.always("no more than two connections at a time") { running.value <= 2 }
      world.host("server").start("doorman") {
        let listener = try await world.listen(on: "server", 7)
        try await listener.serve(maximumConnections: 2) { connection in
          running.add()
          defer { running.add(-1) }
          try await world.pause(around: .milliseconds(5))
          // A client that is cut off must not keep its place.
          let word = try await withTimeout(.seconds(1)) { try await connection.readLine() }
          served.add()
          try await connection.write("\(word ?? "") was served\n")
        }
      }
      let clients = try (0..<4).map { number in
        try world.task(on: "client \(number % 2)") {
          try await world.persistently {
            try await withTimeout(.seconds(10)) {
              let connection = try await StreamConnection.connect(host: "server", port: 7)
              defer { connection.close() }
              try await connection.write("\(number)\n")
              guard let line = try await connection.readLine() else { throw EarlyEnd() }
              try world.require(line == "\(number) was served", "\(number) got \(line)")
            }
          }
        }
      }
      try await world.storm(clients)
      world.sometimes("two are served at a time", running.peak == 2)
    },
    Scenario(
      "closing", "A listener that closes lets those finish whom it serves, and takes no more", faults: .mild
    ) { world in
      let (running, refused) = (Counter(), Counter())
      let listening = Ledger<StreamListener>()
      let serving = try world.task(on: "server") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        listening.entries.append(listener)
        try await listener.serve(maximumConnections: 3) { connection in
          running.add()
          defer { running.add(-1) }
          try await connection.forEachChunk { chunk in try await connection.write(chunk) }
        }
      }
      let clients = try (0..<4).map { number in
        try world.task(on: "client \(number)") {
          do {
            let connection = try await StreamConnection.connect(host: "server", port: 7)
            defer { connection.close() }
            for _ in 0..<4 {
              let bytes = world.bytes(1 + world.random.below(100))
              try await connection.write(bytes)
              try world.require(try await connection.readExactly(bytes.count) == bytes, "the answer is another one")
              try await world.pause(around: .milliseconds(1))
            }
          } catch  where error.isWeather {
            // Before it listened, or in the queue when it closed.
            refused.add()
          }
        }
      }
      try await world.pause(around: .milliseconds(4))
      let isCancelled = world.random.chance(0.3)
      world.sometimes("connections are open when the listener closes", running.value > 0)
      try await world.eventually("the server is there") { !listening.entries.isEmpty }
      if isCancelled {
        serving.cancel()
        do { try await serving.get() } catch is CancellationError {}
        try world.require(running.value == 0, "a handler outlived its server")
        // Its owner may serve again; this one does not.
        listening.entries[0].close()
      } else {
        listening.entries[0].close()
        try await serving.get()
        try world.require(running.value == 0, "a handler outlived its server")
      }
      for client in clients { try await client.get() }
      world.sometimes("a client comes too late", refused.value > 0)
    },
    Scenario(
      "shortage", "A server that has no descriptors left goes on when it has some again",
      faults: FaultPlan.hostile.only([.acceptErrors, .lateReports, .lateCancellations, .smallBuffers, .slowMessages])
    ) { world in
      let server = world.host("server")
      // Two listening sockets, and three for clients.
      server.socketLimit = 5
      let served = Counter()
      server.start("server") {
        let listener = try await world.listen(on: "server", 7)
        try await listener.serve { connection in
          let line = try await connection.readLine()
          try await world.pause(around: .milliseconds(100))
          try await connection.write("\(line ?? "")\n")
          served.add()
        }
      }
      let clients = try (0..<6).map { number in
        try world.task(on: "client") {
          try await world.persistently {
            let connection = try await StreamConnection.connect(host: "server", port: 7)
            defer { connection.close() }
            try await connection.write("\(number)\n")
            guard let line = try await connection.readLine() else { throw EarlyEnd() }
            try world.require(line == "\(number)", "\(number) got \(line)")
          }
        }
      }
      try await world.storm(clients, for: .seconds(5))
      world.sometimes("a shortage lasts a second", world.now > .seconds(1))
    },
    Scenario(
      "abandoned", "A connection that was accepted for nobody is served by the next call, or ends with the listener",
      faults: .mild
    ) { world in
      let (served, ended) = (Counter(), Counter())
      let running = Counter()
      let addresses = world.host("server").addresses
      world.always("no more than one connection is served at a time") { running.value <= 1 }
      let serving = try world.task(on: "server") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        defer { listener.close() }
        for _ in 0..<3 {
          // Gives up now and then, and leaves what comes meanwhile.
          let accepting = try getRunningLoop().createTask {
            let connection = try await listener.accept()
            defer { connection.close() }
            served.add()
            try await connection.write("served\n")
          }
          try await world.pause(around: .milliseconds(2))
          if world.random.chance(0.7) { accepting.cancel() }
          do { try await withTimeout(.milliseconds(5)) { try await accepting.get() } } catch is CancellationError {
          } catch  where error.isWeather {}
          try await world.pause(around: .milliseconds(2))
        }
        guard world.random.chance(0.5) else { return }
        try? await withTimeout(.milliseconds(20)) {
          try await listener.serve(maximumConnections: 1) { connection in
            running.add()
            defer { running.add(-1) }
            served.add()
            try await connection.write("served\n")
            try await world.pause(around: .milliseconds(1))
          }
        }
      }
      let clients = try (0..<4).map { number in
        try world.task(on: "client \(number)") {
          try await world.pause(around: .milliseconds(4))
          do {
            let connection = try await StreamConnection.connect(host: addresses[number % 2], port: 7)
            defer { connection.close() }
            // It is told, whatever happens to the call that it was accepted for.
            let line = try await withTimeout(.seconds(60)) { try await connection.readLine() }
            try world.require(line == nil || line == "served", "\(number) got \(line ?? "")")
            ended.add(line == nil ? 1 : 0)
          } catch let error as TimeoutError {
            try world.require(false, "\(number) waits for ever: \(error)")
          } catch  where error.isWeather {
            ended.add()
          }
        }
      }
      try await serving.get()
      for client in clients { try await client.get() }
      world.sometimes("a connection ends unserved", ended.value > 0)
      world.sometimes("a connection is served", served.value > 0)
    },
  ]
}

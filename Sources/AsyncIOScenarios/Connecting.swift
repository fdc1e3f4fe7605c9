internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// How connections come about, or do not.
  static let connecting: [Scenario] = [
    Scenario(
      "eyeballs", "Of several addresses one is taken, and no attempt is left over, cancelled or not",
      faults: {
        var plan = FaultPlan.hostile
        for kind in [FaultClass.blackHoles, .refusals] { plan[kind] = 0.4 }
        for kind in [FaultClass.socketShortage, .slowMessages] { plan[kind] = 0.1 }
        return plan
      }()
    ) { world in
      let served = Counter()
      let server = world.host("server")
      // Both families, or only one of them.
      let family: AddressFamily = [.unspecified, .ipv4, .ipv6][world.random.below(3)]
      server.start("server") {
        let listener = try await world.persistently {
          try await StreamListener.bind(host: "server", port: 7, family: family)
        }
        try await listener.serve { connection in
          served.add()
          try await connection.forEachChunk { chunk in try await connection.write(chunk) }
        }
      }
      let clients = try ["a", "b"].map { name in
        try world.task(on: name) {
          for _ in 0..<3 {
            let delay: Duration? = world.random.chance(0.7) ? .milliseconds(250) : nil
            let began = world.now
            do {
              try await withTimeout(world.random.around(.seconds(1))) {
                let connection = try await StreamConnection.connect(
                  host: "server", port: 7, happyEyeballsDelay: delay, allErrors: world.random.chance(0.5))
                defer { connection.close() }
                world.sometimes("the second address wins", delay != nil && world.now - began > .milliseconds(250))
                try await connection.write("x")
                let answer = try await connection.read(upTo: 2)
                try world.require(answer.isEmpty || answer == [120], "the answer is another one")
              }
            } catch is TimeoutError {
              world.sometimes("a connect is cancelled")
            } catch let error as ConnectError {
              world.sometimes("every address fails", error.attempts.count > 1)
              try world.require(error.isWeather, "\(error)")
            } catch  where error.isWeather {}
          }
        }
      }
      try await world.storm(clients, for: .seconds(4))
      // With good weather the first attempt succeeds.
      try await world.host("a").run {
        try await world.eventually("the server listens") {
          do {
            try await StreamConnection.connect(host: "server", port: 7, happyEyeballsDelay: .milliseconds(250)).close()
            return true
          } catch  where error.isWeather { return false }
        }
      }
      world.sometimes("a connection comes about in bad weather", served.value > 1)
    }
  ]

  /// Look-ups of names.
  static let names: [Scenario] = [
    Scenario(
      "names", "A look-up that stalls holds nobody up who does not wait for it",
      faults: {
        var plan = FaultPlan.hostile
        for kind in [FaultClass.slowNames, .failedNames] { plan[kind] = 0.3 }
        return plan
      }()
    ) { world in
      let known = world.host("server")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<12 {
          group.addTask {
            let loop = try getRunningLoop()
            let (began, limit) = (world.now, world.random.around(.milliseconds(300)))
            do {
              let name = number % 4 == 0 ? "nobody" : "server"
              let found = try await withTimeout(limit) {
                try await loop.getaddrinfo(host: name, port: 80, type: .stream)
              }
              try world.require(name == "server", "somebody has the name of nobody")
              try world.require(found.map { $0.address.host } == known.addresses, "other addresses: \(found)")
              let name2 = try await loop.getnameinfo(found[0].address)
              try world.require(name2.host == "server" && name2.service == "80", "another name: \(name2)")
            } catch is TimeoutError {
              world.sometimes("a look-up takes too long")
              try world.require(world.now - began < limit + .milliseconds(1), "a cancelled look-up holds its task up")
            } catch is ResolutionError {
              world.sometimes("a name is not found")
            }
          }
        }
        try await group.waitForAll()
      }
    }
  ]
}

internal import AsyncIO
internal import AsyncIOPrograms
internal import AsyncIOSimulation

extension Scenario {
  /// The proxy that `asyncio proxy` runs, where one of its sides speaks TLS, or both.
  static let protectedProxies: [Scenario] = [
    Scenario(
      "tls-proxy", "A proxy that ends TLS, or begins it, passes on bytes and ends, and never a loss as an end",
      faults: {
        var plan = FaultPlan.hostile
        plan[.resets] = 0.03
        return plan
      }()
    ) { world in
      let ends = world.random.chance(0.7)
      let begins = !ends || world.random.chance(0.5)
      let near = ends ? try Protection(world, for: "proxy") : nil
      let far = begins ? try Protection(world, for: "server") : nil
      startUpstream(world, tls: far?.server)
      world.host("proxy").start("proxy") {
        let target = ProxyTarget(protection: far.map { ProxyTarget.Protection($0.client, hostname: "server") }) {
          try await StreamConnection.connect(host: "server", port: 80)
        }
        var front = ProxyFront(target: target, handshakeTimeout: .seconds(10))
        front.tls = near?.server
        let proxy = Proxy(Proxy.Options(idleTimeout: .seconds(20), connectTimeout: .seconds(10)), front)
        let listener = try await world.listen(on: "proxy", 8080)
        try await listener.serve(maximumConnections: 3) { client in
          // A target that is lost in the handshake, or is not reached in time.
          do { try await proxy.forward(client, ProxyFigures()) } catch is ProxyError {}
        }
      }
      let clients = try (0..<3).map { number in
        try world.task(on: "client \(number % 2)") {
          while try await !converse(world, tls: near?.client) { try await sleep(for: .milliseconds(20)) }
        }
      }
      let chaos = try world.task(on: "chaos") {
        for _ in 0..<3 {
          try await world.pause(around: .milliseconds(20))
          // What is under way goes on.
          try near?.server.reload()
          try far?.client.reload()
        }
      }
      try await world.storm(clients + [chaos])
    }
  ]
}

import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// Orders over datagrams: each is carried out once, even if datagrams are lost, doubled or late, and even if the
  /// client crashes.
  static let exactlyOnce = PlantedProtocol(
    name: "exactly once",
    bugs: [
      .retriesUnderNewNumber, .carriesOutEveryCopy, .sendsOrderOnce, .takesAnyAnswer, .remembersLastOrderOnly,
      .countsFromOneAfterCrash,
    ], faults: .hostile
  ) { world, bug in
    let total = Kept(0)
    world.host("server").start("server") {
      var server = OrderServer(bug)
      try await server.run(try await world.endpoint("server", port: 9), total)
    }
    /// The order that the client is at, on its disk.
    let current = Kept(1)
    let client = world.host("client")
    client.start("client") {
      try await OrderClient(world, bug).run(current)
    }
    try await world.crashOnce(client, within: .milliseconds(20))
    try await world.eventually("all orders are answered", within: .seconds(200)) { current.value == 6 }
    try world.require(total.value == 15, "orders of 1 to 5 were carried out, and the sum is \(total.value)")
  }
}

private struct OrderServer {
  private let bug: PlantedBug?
  private var last = 0

  init(_ bug: PlantedBug?) { self.bug = bug }

  mutating func run(_ endpoint: DatagramEndpoint, _ total: Kept<Int>) async throws {
    defer { endpoint.close() }
    while true {
      guard let (words, sender) = try await endpoint.hear(within: .seconds(3600)) else { continue }
      guard let number = Int(words[0]), let amount = Int(words[1]) else { continue }
      let isNew =
        switch bug {
        case .carriesOutEveryCopy: true
        case .remembersLastOrderOnly: number != last
        default: number > last
        }
      if isNew {
        last = number
        total.value += amount
      }
      // Also for a copy: the first answer may be lost.
      try await endpoint.say([words[0]], to: sender)
    }
  }
}

private struct OrderClient {
  private let world: SimulationWorld
  private let bug: PlantedBug?

  init(_ world: SimulationWorld, _ bug: PlantedBug?) { (self.world, self.bug) = (world, bug) }

  func run(_ current: Kept<Int>) async throws {
    let endpoint = try await world.endpoint("client")
    defer { endpoint.close() }
    let server = SocketAddress(ipLiteral: world.address("server"), port: 9)!
    var number = bug == .countsFromOneAfterCrash ? 0 : current.value - 1
    while current.value <= 5 {
      number += 1
      var isAnswered = false
      try await endpoint.say(["\(number)", "\(current.value)"], to: server)
      while !isAnswered {
        if let (words, _) = try await endpoint.hear(within: .milliseconds(50)) {
          isAnswered = bug == .takesAnyAnswer || words == ["\(number)"]
          continue
        }
        if bug == .sendsOrderOnce { continue }
        if bug == .retriesUnderNewNumber { number += 1 }
        try await endpoint.say(["\(number)", "\(current.value)"], to: server)
      }
      current.value += 1
    }
  }
}

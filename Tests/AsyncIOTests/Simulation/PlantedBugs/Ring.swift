import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// A token goes round among three machines, over datagrams: its holder may do what no other machine does meanwhile.
  static let ring = PlantedProtocol(
    name: "ring", bugs: [.takesCopyForToken, .sendsTokenOnce, .keepsTokenUntilConfirmed], faults: .hostile
  ) { world, bug in
    let (holders, rounds) = (Kept(0), Kept(0))
    world.always("one machine has the token") { holders.value <= 1 }
    for index in 0..<3 {
      let name = "node\(index)"
      world.host(name).start("node") {
        let endpoint = try await world.endpoint(name, port: 9)
        defer { endpoint.close() }
        let next = SocketAddress(ipLiteral: world.address("node\((index + 1) % 3)"), port: 9)!
        var node = RingNode(endpoint, next, bug, holders, rounds)
        try await node.run(isFirst: index == 0)
      }
    }
    try await world.eventually("the token goes round", within: .seconds(200)) { rounds.value >= 20 }
  }
}

private struct RingNode {
  private let endpoint: DatagramEndpoint
  private let next: SocketAddress
  private let bug: PlantedBug?
  private let holders: Kept<Int>
  private let rounds: Kept<Int>
  /// The number of the token that was sent and is not known to have arrived.
  private var sent: Int?
  private var seen = 0

  init(
    _ endpoint: DatagramEndpoint, _ next: SocketAddress, _ bug: PlantedBug?, _ holders: Kept<Int>, _ rounds: Kept<Int>
  ) {
    (self.endpoint, self.next, self.bug, self.holders, self.rounds) = (endpoint, next, bug, holders, rounds)
  }

  mutating func run(isFirst: Bool) async throws {
    if isFirst { try await send(1) }
    while true {
      guard let (words, sender) = try await endpoint.hear(within: .milliseconds(100)) else {
        if let sent, bug != .sendsTokenOnce { try await endpoint.say(["token", "\(sent)"], to: next) }
        continue
      }
      guard let number = Int(words[1]) else { continue }
      if words[0] == "arrived" {
        if number == sent { confirmed() }
        continue
      }
      try await endpoint.say(["arrived", words[1]], to: sender)
      guard number > seen || bug == .takesCopyForToken else { continue }
      // A machine that sends a newer one has got the last one.
      if sent != nil { confirmed() }
      seen = number
      rounds.value = max(rounds.value, number)
      holders.value += 1
      try await AsyncIO.sleep(for: .milliseconds(5))
      if bug != .keepsTokenUntilConfirmed { holders.value -= 1 }
      try await send(number + 1)
    }
  }

  private mutating func send(_ number: Int) async throws {
    sent = number
    try await endpoint.say(["token", "\(number)"], to: next)
  }

  private mutating func confirmed() {
    if bug == .keepsTokenUntilConfirmed, seen > 0 { holders.value -= 1 }
    sent = nil
  }
}

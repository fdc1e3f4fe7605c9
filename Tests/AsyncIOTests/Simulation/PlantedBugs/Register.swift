import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// A value on three machines, of which one may be gone: a read sees what was written or read before.
  static let register = PlantedProtocol(
    name: "register",
    bugs: [
      .takesHalfForMajority, .answersBeforeWriting, .readsWithoutWritingBack, .countsCopiesAsMachines,
      .countsOldRounds, .readsOwnCache, .storesWhatComesLast,
    ], faults: .hostile
  ) { world, bug in
    let replicas = (0..<3).map { "replica\($0)" }
    for name in replicas {
      let disk = Kept(0)
      world.host(name).start("replica") {
        try await Replica(bug).run(try await world.endpoint(name, port: 9), name, disk)
      }
    }
    let (known, ended) = (Kept(0), Kept(0))
    for name in ["writer", "reader1", "reader2"] {
      world.host(name).start("client") {
        let endpoint = try await world.endpoint(name)
        defer { endpoint.close() }
        var client = RegisterClient(endpoint, replicas.map(world.address), bug)
        if name == "writer" {
          for value in 1...3 {
            try await client.store(value)
            known.value = max(known.value, value)
          }
        } else {
          for _ in 0..<4 {
            let least = known.value
            let value = try await client.read()
            try world.require(value >= least, "\(least) was there before the read began, which gave \(value)")
            known.value = max(known.value, value)
          }
        }
        ended.value += 1
      }
    }
    for name in replicas.prefix(2) { try await world.crashOnce(world.host(name), within: .milliseconds(40)) }
    try await world.eventually("everybody comes to an end", within: .seconds(1200)) { ended.value == 3 }
  }
}

private struct Replica {
  private let bug: PlantedBug?

  init(_ bug: PlantedBug?) { self.bug = bug }

  func run(_ endpoint: DatagramEndpoint, _ name: String, _ disk: Kept<Int>) async throws {
    defer { endpoint.close() }
    while true {
      guard let (words, sender) = try await endpoint.hear(within: .seconds(3600)) else { continue }
      if words[0] == "store", let value = Int(words[2]) {
        let answer = ["stored", words[1], name, "0"]
        // A disk takes its time.
        let write = Task {
          try await AsyncIO.sleep(for: .milliseconds(1))
          disk.value = bug == .storesWhatComesLast ? value : max(disk.value, value)
        }
        if bug != .answersBeforeWriting { try await write.value }
        try await endpoint.say(answer, to: sender)
      } else {
        try await endpoint.say(["value", words[1], name, "\(disk.value)"], to: sender)
      }
    }
  }
}

private struct RegisterClient {
  private let endpoint: DatagramEndpoint
  private let replicas: [SocketAddress]
  private let bug: PlantedBug?
  private var round = 0
  private var cache: Int?

  init(_ endpoint: DatagramEndpoint, _ addresses: [String], _ bug: PlantedBug?) {
    (self.endpoint, self.bug) = (endpoint, bug)
    replicas = addresses.map { SocketAddress(ipLiteral: $0, port: 9)! }
  }

  mutating func store(_ value: Int) async throws { _ = try await ask("store", "\(value)") }

  mutating func read() async throws -> Int {
    if bug == .readsOwnCache, let cache, cache > 0 { return cache }
    let value = try await ask("read", "0")
    if bug != .readsWithoutWritingBack { try await store(value) }
    cache = value
    return value
  }

  /// Ask until most of the machines have answered; the greatest value of theirs.
  private mutating func ask(_ verb: String, _ value: String) async throws -> Int {
    round += 1
    let needed = bug == .takesHalfForMajority ? replicas.count / 2 : replicas.count / 2 + 1
    var heard: [String: Int] = [:]
    var copies = 0
    while heard.count < needed {
      for replica in replicas { try await endpoint.say([verb, "\(round)", value], to: replica) }
      while heard.count < needed, let (words, _) = try await endpoint.hear(within: .milliseconds(50)) {
        guard words[1] == "\(round)" || bug == .countsOldRounds else { continue }
        copies += 1
        heard[bug == .countsCopiesAsMachines ? "\(copies)" : words[2]] = Int(words[3]) ?? 0
      }
    }
    return heard.values.max() ?? 0
  }
}

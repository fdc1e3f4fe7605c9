internal import AsyncIO
internal import AsyncIOSimulation

// Tasks whose calls never have to wait. Only their own calls could end them. The times are short, because a turn of a
// simulation takes a microsecond, and a flood does much in one.

extension Scenario {
  /// Floods, and what ends them.
  static let floods: [Scenario] = [
    Scenario(
      "flood-cancel", "A task that never has to wait ends when it is cancelled, and the loop turns meanwhile",
      faults: .mild
    ) { world in
      try await world.host("flood").run {
        let loop = try getRunningLoop()
        for flood in Flood.some(of: world) {
          let task = try loop.createTask { try await flood.run(world) }
          try await world.pause(around: .microseconds(30))
          world.sometimes("a flood is cancelled while it sets itself up", !flood.hasBegun)
          task.cancel()
          do { try await task.get() } catch is CancellationError {}
        }
      }
    },
    Scenario(
      "flood-limit", "A limit of time ends a task that never has to wait", faults: .mild
    ) { world in
      try await world.host("flood").run {
        let loop = try getRunningLoop()
        for flood in Flood.some(of: world) {
          let limit = Duration.microseconds(5 + world.random.below(60))
          let start = loop.time()
          do {
            try await withTimeout(limit) { try await flood.run(world) }
            world.fail("a flood has ended by itself")
          } catch is TimeoutError {}
          let late = start.duration(to: loop.time()) - limit
          try world.require(late < .milliseconds(5), "the limit of \(limit) came \(late) late, in \(flood.kind)")
        }
      }
    },
    Scenario(
      "flood-server", "A flooded server ends when its task is cancelled, whichever form its handlers have",
      faults: .mild
    ) { world in
      let isSynchronous = world.random.chance(0.5)
      let flooded = Ledger<Int>()
      let ended = Ledger<Void>()
      let client = try world.task(on: "client") {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 7) }
        defer { connection.close() }
        let bytes = world.bytes(2000)
        // Until it is told: a reset takes a thousand turns to come.
        do { while ended.entries.isEmpty { try await connection.write(bytes) } } catch  where error.isWeather {}
      }
      try await world.host("server").run {
        let loop = try getRunningLoop()
        let listener = try await world.listen(on: "server", 7)
        let serving = try loop.createTask {
          try await listener.serve { connection in
            if isSynchronous {
              try await connection.serveChunks { bytes, _ in flooded.entries.append(bytes.byteCount) }
            } else {
              try await connection.forEachChunk { bytes in flooded.entries.append(bytes.byteCount) }
            }
          }
        }
        while flooded.entries.isEmpty { try await sleep(for: .milliseconds(1)) }
        try await world.pause(around: .microseconds(300))
        serving.cancel()
        do { try await serving.get() } catch is CancellationError {}
        ended.entries.append(())
        listener.close()
      }
      try await client.get()
    },
  ]
}

/// Something that can be done endlessly and without a wait. For one task of a world.
private final class Flood: @unchecked Sendable {
  // Unchecked because the tasks of a world are all in one thread.
  enum Kind: CaseIterable { case datagrams, lines, writes, lock, queue, names, sleep }

  let kind: Kind
  private(set) var hasBegun = false

  init(_ kind: Kind) { self.kind = kind }

  /// Some, in an order by chance.
  static func some(of world: SimulationWorld) -> [Flood] {
    (0..<2).map { _ in Flood(Kind.allCases[world.random.below(Kind.allCases.count)]) }
  }

  /// For ever.
  func run(_ world: SimulationWorld) async throws {
    switch kind {
    case .datagrams:
      let endpoint = try await DatagramEndpoint.bind(host: "flood", port: 9, family: .ipv4)
      defer { endpoint.close() }
      try await forEver {
        do { try await endpoint.send([1], to: endpoint.localAddress!) } catch  where error.isWeather {}
      }
    case .lines, .writes: try await runStreams(world)
    case .lock:
      let lock = AsyncLock()
      try await forEver { try await lock.withLock {} }
    case .queue:
      let queue = Queue<Int>()
      try await forEver {
        try await queue.put(1)
        _ = try await queue.get()
      }
    case .names:
      let loop = try getRunningLoop()
      try await forEver { _ = try await loop.getaddrinfo(host: "127.0.0.1", port: 7) }
    case .sleep: try await forEver { try await AsyncIO.sleep(for: .zero) }
    }
  }

  private func forEver(_ body: () async throws -> Void) async throws {
    hasBegun = true
    while true { try await body() }
  }

  private func runStreams(_ world: SimulationWorld) async throws {
    let listener = try await world.listen(on: "flood", 8)
    defer { listener.close() }
    async let accepted = listener.accept()
    let near = try await world.untilConnected { try await StreamConnection.connect(host: "flood", port: 8) }
    defer { near.close() }
    let far = try await accepted
    defer { far.close() }
    let loop = try getRunningLoop()
    let lines = [UInt8](repeating: 10, count: 4096)
    let isReading = kind == .lines
    let other = try loop.createTask {
      if isReading { while true { try await far.write(lines) } } else { try await far.forEachChunk { _ in } }
    }
    defer { other.cancel() }
    try await forEver {
      if isReading { _ = try await near.readLine() } else { try await near.write("x") }
    }
  }
}

internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// How streams are read.
  static let reading: [Scenario] = [
    Scenario(
      "lines", "Lines arrive whole, whatever pieces they were sent in", faults: .mild
    ) { world in
      let lines = (0..<20).map { "\($0) " + String(repeating: "é", count: world.random.below(60)) }
      world.host("server").start("lines") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          let text = Array(lines.map { $0 + (world.random.chance(0.2) ? "\r\n" : "\n") }.joined().utf8)
          try await world.write(text, inPiecesOf: 300, on: connection)
        }
      }
      try await world.host("client").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 7) }
        defer { connection.close() }
        var read: [String] = []
        for try await line in connection.lines { read.append(line) }
        try world.require(read == lines, "the lines are others: \(read)")
      }
    },
    Scenario(
      "cancelled", "A cancelled read loses no byte, wherever it is cancelled", faults: .mild
    ) { world in
      let bytes = world.bytes(1000)
      world.host("server").start("pieces") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          try await world.write(bytes, inPiecesOf: 200, on: connection) {
            try await world.pause(around: .microseconds(300))
          }
        }
      }
      try await world.host("client").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 7) }
        defer { connection.close() }
        let reader = HastyReader(world, connection)
        while try await !reader.step() {}
        try world.require(reader.read == bytes, "\(reader.read.count) of \(bytes.count) bytes, or others, were read")
      }
    },
  ]
}

/// Reads in every way there is, for a short time each.
final class HastyReader: @unchecked Sendable {
  // Unchecked because a task of the same loop reads for it.
  private let world: SimulationWorld
  private let connection: StreamConnection
  private(set) var read: [UInt8] = []
  private var hasEnded = false
  /// In a row; a reader that gets nothing waits longer and longer.
  private var misses = 0

  init(_ world: SimulationWorld, _ connection: StreamConnection) {
    (self.world, self.connection) = (world, connection)
  }

  /// Make a step. Returns `true` if the stream has ended.
  func step() async throws -> Bool {
    let limit = world.random.around(.microseconds(400)) * (1 << min(misses, 12))
    misses += 1
    if world.random.chance(0.5) {
      do { try await withTimeout(limit) { try await readSome() } } catch is TimeoutError {
        world.sometimes("a read runs out of time")
      }
    } else {
      let loop = try getRunningLoop()
      let task = try loop.createTask { try await self.readSome() }
      let timer = try loop.callLater(limit) { task.cancel() }
      defer { timer.cancel() }
      do { try await task.get() } catch is CancellationError { world.sometimes("a reading task is cancelled") }
    }
    return hasEnded
  }

  private func readSome() async throws {
    let count = 1 + world.random.below(400)
    do {
      switch world.random.below(4) {
      case 0: take(try await connection.read(upTo: count), mayBeEnd: true)
      case 1: take(try await connection.readExactly(count))
      case 2: take(try await connection.readUntil([7], limit: 5000))
      default:
        var memory = [UInt8](repeating: 0, count: count)
        var bytes = memory.mutableSpan
        var span = bytes.mutableBytes
        let n = try await connection.read(into: &span)
        take(Array(memory[..<n]), mayBeEnd: true)
      }
    } catch let error as IncompleteReadError {
      take(error.partial)
      hasEnded = true
    }
  }

  private func take(_ bytes: [UInt8], mayBeEnd: Bool = false) {
    read += bytes
    misses = 0
    if mayBeEnd, bytes.isEmpty { hasEnded = true }
  }
}

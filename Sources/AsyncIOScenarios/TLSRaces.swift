internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Protected connections that end, are cancelled, or are meddled with, at any moment.
  static let protectedRaces: [Scenario] = [
    Scenario(
      "tls-close", "What was written arrives whole if the writer closes, and a cut stream is not taken for a whole one",
      faults: .mild
    ) { world in
      try await closeAtAnyMoment(world, isHostile: false)
    },
    Scenario(
      "tls-break", "The same where connections break: all of it, or an error", faults: .hostile
    ) { world in
      try await closeAtAnyMoment(world, isHostile: true)
    },
    Scenario(
      "tls-meddler", "What somebody in between cuts, changes, repeats or adds is seen, and never delivered",
      faults: .mild
    ) { world in
      let limits = try TLSLimits(handshake: .seconds(20), shutdown: .seconds(5))
      let tls = try Protection(world, for: "server", limits: limits)
      let bytes = world.bytes(1 + world.random.below(4000))
      world.host("server").start("page") {
        let listener = try await StreamListener.bind(host: "server", port: 443, tls: tls.server)
        try await listener.serve { connection in
          try await world.write(bytes, inPiecesOf: 1000, on: connection)
        }
      }
      let meddler = Meddler(world)
      world.host("between").start("meddler") { try await meddler.serve() }
      try await world.host("client").run {
        for _ in 0..<3 {
          meddler.isMeddling = world.random.chance(0.7)
          do {
            let read = try await withTimeout(.seconds(60)) {
              let connection = try await StreamConnection.connect(
                host: "between", port: 443, tls: tls.client, serverHostname: "server")
              defer { connection.close() }
              return try await connection.readToEnd()
            }
            try world.require(read == bytes, "\(read.count) of \(bytes.count) bytes, or others, are taken for all")
            world.sometimes("nothing was meddled with")
          } catch let error as TLSError {
            try world.require(meddler.isMeddling, "nobody meddled: \(error)")
            world.sometimes("a cut is seen", error.code == .truncated)
            world.sometimes("a change is seen", error.code == .protocolViolation)
          } catch  where error.isWeather {
            world.sometimes("a connection is not made, or hangs")
          }
        }
      }
    },
    Scenario(
      "tls-cancel", "Cancelled handshakes, reads and writes leave whole records behind", faults: tight
    ) { world in
      let tls = try Protection(world, for: "server")
      let writer = HastyWriter(world)
      world.host("server").start("pieces") {
        let listener = try await StreamListener.bind(host: "server", port: 443, tls: tls.server)
        try await listener.serve { connection in
          // The others were given up before they had begun.
          let word = try await connection.readLine()
          if word == "go" { try await writer.write(on: connection) }
        }
      }
      try await world.host("client").run {
        let connection = try await connectedInTheEnd(world, tls.client)
        defer { connection.close() }
        try await connection.write("go\n")
        let reader = HastyReader(world, connection)
        while try await !reader.step() {}
        try writer.check(reader.read)
      }
    },
  ]
}

/// Buffers are small, so that a writer has to wait, and can be cancelled.
private let tight: FaultPlan = {
  var plan = FaultPlan.mild
  plan[.smallBuffers] = 1
  return plan
}()

/// Connect with limits of time that are too short at first.
private func connectedInTheEnd(_ world: SimulationWorld, _ tls: TLSContext) async throws -> StreamConnection {
  var limit = world.random.around(.microseconds(400))
  while true {
    do {
      return try await withTimeout(limit) {
        try await StreamConnection.connect(host: "server", port: 443, tls: tls)
      }
    } catch is TimeoutError {
      world.sometimes("a handshake runs out of time")
    } catch  where error.isWeather {}
    limit = limit * 2 + .microseconds(50)
  }
}

/// Writes pieces, some of which it gives up. For one task of a world.
private final class HastyWriter: @unchecked Sendable {
  // Unchecked because a task of the same loop writes for it.
  private let world: SimulationWorld
  private var pieces: [(bytes: [UInt8], isComplete: Bool)] = []

  init(_ world: SimulationWorld) { self.world = world }

  func write(on connection: StreamConnection) async throws {
    for _ in 0..<6 {
      let isMuch = world.random.chance(0.01)
      let bytes = world.bytes(32 + world.random.below(isMuch ? 150_000 : 3000))
      let writing = try getRunningLoop().createTask { try await connection.write(bytes) }
      let timer = try getRunningLoop().callLater(world.random.around(.microseconds(isMuch ? 300 : 20))) {
        writing.cancel()
      }
      defer { timer.cancel() }
      var isComplete = true
      do { try await writing.get() } catch is CancellationError {
        isComplete = false
        world.sometimes("a write is cancelled")
      }
      pieces.append((bytes, isComplete))
    }
  }

  /// Look whether the bytes are the pieces, in order; of one that was given up a part, or nothing.
  func check(_ read: [UInt8]) throws {
    var rest = read[...]
    for (bytes, isComplete) in pieces {
      if Array(rest.prefix(bytes.count)) == bytes {
        rest = rest.dropFirst(bytes.count)
        continue
      }
      let count = zip(bytes, rest).prefix { $0 == $1 }.count
      try world.require(!isComplete, "a piece of \(bytes.count) bytes is whole up to \(count)")
      // A few bytes are equal by chance: nothing of the piece was sent.
      if count >= 16 { rest = rest.dropFirst(count) }
    }
    try world.require(rest.isEmpty, "\(rest.count) bytes belong to no piece")
  }
}

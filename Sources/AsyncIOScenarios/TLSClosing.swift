internal import AsyncIO
internal import AsyncIOSimulation

// Two sides that write to each other and end at any moment, in any way. What each must see follows from what the other
// has done: a goodbye comes after everything that was written, and nothing else is a good end.

/// Let two sides meet once.
///
/// - Parameter isHostile: connections break by themselves, so that errors need no other cause.
func closeAtAnyMoment(_ world: SimulationWorld, isHostile: Bool) async throws {
  let tls = try Protection(world, for: "server")
  let (client, server) = (RacingSide(world, 1, isHostile), RacingSide(world, 2, isHostile))
  client.isPatient = world.random.chance(0.3)
  world.host("server").start("side") {
    let listener = try await world.persistently {
      try await StreamListener.bind(host: "server", port: 443, tls: tls.server)
    }
    defer { listener.close() }
    if world.random.chance(0.5) {
      // Before the handshake is over: what is read and written waits for it.
      try await server.run(on: world.persistently { try await listener.accept() }, against: client)
    } else {
      try await listener.serve { connection in
        if !server.hasBegun { try await server.run(on: connection, against: client) }
      }
    }
  }
  try await world.host("client").run {
    do {
      let connection = try await withTimeout(.seconds(200)) {
        try await world.untilListening {
          try await StreamConnection.connect(host: "server", port: 443, tls: tls.client)
        }
      }
      try await client.run(on: connection, against: server)
    } catch let error where isHostile && error.isWeather {
      world.sometimes("a handshake fails")
    } catch let error where error.isProtected {
      let isEarly = server.farewell == .close && server.written == 0
      world.sometimes("a side closes before the handshake is over", isEarly)
      try world.require(server.farewell == .abort || isEarly, "a handshake failed without a cause: \(error)")
    }
  }
  world.heal()
  try await world.eventually("both sides have ended") { !server.hasBegun || server.hasEnded }
}

/// One side of a race. For tasks of one world, which is what makes the unchecked conformance right.
private final class RacingSide: @unchecked Sendable {
  /// How a side ends its stream.
  enum Farewell { case end, close, abort }

  private let world: SimulationWorld
  private let number: Int
  private let isHostile: Bool
  private(set) var hasBegun = false
  private(set) var hasEnded = false
  private(set) var farewell: Farewell?
  /// The number of bytes that `write` has returned for.
  private(set) var written = 0
  private var read = 0
  private var hasRead = false
  /// Ends its stream only after the peer's has ended: a goodbye must not wait for the other one.
  var isPatient = false

  init(_ world: SimulationWorld, _ number: Int, _ isHostile: Bool) {
    (self.world, self.number, self.isHostile) = (world, number, isHostile)
  }

  /// The bytes of this side's stream from a place on.
  private func bytes(_ range: Range<Int>) -> [UInt8] {
    range.map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ number &* 91) }
  }

  func run(on connection: StreamConnection, against peer: RacingSide) async throws {
    hasBegun = true
    defer {
      connection.close()
      hasEnded = true
    }
    let loop = try getRunningLoop()
    let writing = try loop.createTask { try await self.write(on: connection, against: peer) }
    let reading = try loop.createTask { try await self.read(on: connection, from: peer) }
    try await writing.get()
    try await reading.get()
  }

  private func write(on connection: StreamConnection, against peer: RacingSide) async throws {
    do {
      for _ in 0..<world.random.below(4) {
        let isMuch = world.random.chance(0.1)
        let count = 1 + world.random.below(isMuch ? 100_000 : 2000)
        try await connection.write(bytes(written..<written + count))
        written += count
        if world.random.chance(0.5) { try await world.pause(around: .microseconds(300)) }
      }
    } catch let error where isExplained(error, peer) {}
    if isPatient { try await world.eventually("the other side ends by itself") { hasRead } }
    if farewell == nil { try end(connection) }
  }

  private func end(_ connection: StreamConnection) throws {
    switch world.random.below(5) {
    case 0:
      farewell = .abort
      connection.abort()
    case 1, 2:
      farewell = .close
      connection.close()
    default:
      farewell = .end
      try connection.writeEOF()
    }
  }

  private func read(on connection: StreamConnection, from peer: RacingSide) async throws {
    defer { hasRead = true }
    do {
      while case let chunk = try await connection.read(upTo: 1 + world.random.below(5000)), !chunk.isEmpty {
        let expected = peer.bytes(read..<read + chunk.count)
        try world.require(chunk == expected, "other bytes than the peer's at \(read)")
        read += chunk.count
      }
      world.sometimes("a stream ends well")
      let isGood = peer.farewell == .end || peer.farewell == .close
      try world.require(isGood, "a stream that was cut is taken for a whole one")
      try world.require(read == peer.written, "\(read) bytes were read of \(peer.written)")
    } catch let error where isExplained(error, peer) {
      world.sometimes("a stream ends with an error")
    }
  }

  /// Whether what the two sides have done, or the weather, is a reason for the error.
  private func isExplained(_ error: any Error, _ peer: RacingSide) -> Bool {
    if error is SimulationFailure || error is CancellationError { return false }
    if farewell == .close || farewell == .abort || peer.farewell == .abort { return true }
    // The client has failed in the handshake, which is told elsewhere.
    if !peer.hasBegun, error.isProtected { return isHostile }
    return isHostile && error.isWeather
  }
}

extension SimulationWorld {
  /// Try until a listener is there; a connection that breaks later is an answer as well.
  fileprivate func untilListening(_ connect: () async throws -> StreamConnection) async throws -> StreamConnection {
    while true {
      do { return try await connect() } catch is ConnectError {} catch is ResolutionError {}
      try await sleep(for: .milliseconds(10))
    }
  }
}

extension Error {
  /// True for what the end of a peer does to a connection that is not protected yet.
  fileprivate var isProtected: Bool { self is TLSError || isWeather }
}

internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Where a transport begins and where it ends.
  static let borders: [Scenario] = [
    Scenario(
      "borders", "A transport is had before its bytes come, and closes behind its backlog", faults: .mild
    ) { world in
      try await world.host("server").run {
        let bytes = world.bytes(1 + world.random.below(world.random.chance(0.2) ? 200_000 : 20_000))
        let server = try await getRunningLoop().createServer(host: "server", port: 7) { Backlog(world, bytes) }
        try await world.host("client").run {
          let loop = try getRunningLoop()
          let noise = Noise()
          try noise.make(on: loop)
          let collector: Collector
          (_, collector) = try await loop.createConnection(host: "server", port: 7) { Collector(world) }
          collector.isHandedOver = true
          noise.isOver = true
          try await world.eventually("the backlog has come") { collector.hasEnded }
          try world.require(collector.received == bytes, "the backlog is not whole")
        }
        server.close()
        try await server.waitClosed()
      }
    }
  ]
}

/// Callbacks in every turn. In the loop's thread, which is what makes the unchecked conformance right.
private final class Noise: @unchecked Sendable {
  var isOver = false

  func make(on loop: any EventLoop) throws {
    guard !isOver else { return }
    // Not in every turn, so that a world does not take too long.
    try loop.callLater(.milliseconds(1)) { try loop.callSoon { try self.make(on: loop) } }
  }
}

/// Closes its connection as soon as bytes of it wait, and writes the others when it may go on. In the loop's thread,
/// which is what makes the unchecked conformance right.
private final class Backlog: StreamProtocol, @unchecked Sendable {
  private let world: SimulationWorld
  private var rest: ArraySlice<UInt8>
  private var transport: StreamTransport?
  private var isPaused = false

  init(_ world: SimulationWorld, _ bytes: [UInt8]) { (self.world, rest) = (world, bytes[...]) }

  func connectionMade(_ transport: StreamTransport) throws {
    self.transport = transport
    try transport.setWriteBufferLimits(high: world.random.below(3000))
    try write()
    transport.close()
    world.sometimes("a transport is closed with a backlog", !rest.isEmpty)
  }

  private func write() throws {
    while !rest.isEmpty && !isPaused {
      let piece = Array(rest.prefix(1 + world.random.below(20_000)))
      rest.removeFirst(piece.count)
      try transport?.write(piece)
    }
  }

  func pauseWriting() throws { isPaused = true }

  func resumeWriting() throws {
    isPaused = false
    try write()
  }

  func dataReceived(_ bytes: RawSpan) throws {}

  func connectionLost(_ error: (any Error)?) throws {
    transport = nil
    if error != nil || !rest.isEmpty { world.fail("a backlog was not taken: \(rest.count) bytes are left") }
  }
}

/// Takes what comes. In the loop's thread, which is what makes the unchecked conformance right.
private final class Collector: StreamProtocol, @unchecked Sendable {
  private let world: SimulationWorld
  private(set) var received: [UInt8] = []
  private(set) var hasEnded = false
  var isHandedOver = false

  init(_ world: SimulationWorld) { self.world = world }

  /// A callback after the one that tells of the transport, so that the task that waits for it waits for a turn.
  func connectionMade(_ transport: StreamTransport) throws { try getRunningLoop().callSoon {} }

  func dataReceived(_ bytes: RawSpan) throws {
    if !isHandedOver { world.fail("bytes came before the caller had the transport") }
    bytes.withUnsafeBytes { received.append(contentsOf: $0) }
  }

  func connectionLost(_ error: (any Error)?) throws { hasEnded = true }
}

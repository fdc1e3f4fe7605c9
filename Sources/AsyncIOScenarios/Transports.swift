internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Transports and protocols.
  static let transports: [Scenario] = [
    Scenario(
      "protocols", "Protocols are told in turns, and their bytes arrive whole", faults: .mild
    ) { world in
      let lives = ProtocolLives(world)
      try await world.host("server").run {
        let server = try await getRunningLoop().createServer(host: "server", port: 7) { EchoProtocol(lives) }
        try await world.host("client").run {
          let loop = try getRunningLoop()
          let done = loop.createFuture(of: Void.self)
          let bytes = world.bytes(world.random.chance(0.1) ? 30_000 : 1 + world.random.below(3000))
          let usesBuffer = world.random.chance(0.5)
          let transport: StreamTransport
          if usesBuffer {
            (transport, _) = try await loop.createConnection(host: "server", port: 7) {
              BufferedAsker(Asker(lives, bytes, done))
            }
          } else {
            (transport, _) = try await loop.createConnection(host: "server", port: 7) {
              ChunkAsker(Asker(lives, bytes, done))
            }
          }
          try await withTimeout(.seconds(600)) { try await done.get() }
          try world.require(transport.isClosing, "a connection has ended, and its transport does not know")
        }
        server.close()
        try await server.waitClosed()
        try world.require(lives.open == 0, "a protocol was not told of the end")
      }
    },
    Scenario(
      "ends", "Every protocol is told of its end once, whichever side ends the connection, and how", faults: .hostile
    ) { world in
      let lives = ProtocolLives(world)
      try await world.host("server").run {
        let loop = try getRunningLoop()
        let server = try await world.persistently {
          try await loop.createServer(host: "server", port: 7) { EchoProtocol(lives) }
        }
        let clients = try (0..<3).map { number in
          try world.task(on: "client \(number)") {
            do {
              try await withTimeout(.seconds(3)) {
                let (transport, _) = try await getRunningLoop().createConnection(host: "server", port: 7) {
                  SilentProtocol(lives)
                }
                try transport.write(world.bytes(1 + world.random.below(3000)))
                try await world.pause(around: .milliseconds(5))
                switch world.random.below(5) {
                case 0: transport.close()
                case 1: transport.abort()
                case 2: try transport.writeEOF()
                case 3:
                  // Another protocol is told of the rest.
                  let heir = SilentProtocol(lives, of: transport)
                  try transport.setProtocol(heir)
                default: try transport.write(world.bytes(100))
                }
                try await world.pause(around: .milliseconds(5))
                transport.abort()
              }
            } catch  where error.isWeather {
            } catch let error as EventLoopError where error.code == .closed || error.code == .invalidState {
              world.sometimes("a client writes when the connection has ended")
            }
          }
        }
        try await world.pause(around: .milliseconds(6))
        world.sometimes("the server has clients when it closes", lives.open > 0)
        server.close()
        try world.require(!server.isServing, "a server that was closed serves")
        if world.random.chance(0.5) { server.closeClients() } else { server.abortClients() }
        try await world.storm(clients)
        // A client that was accepted and closed with bytes left to send has until here to send them.
        server.abortClients()
        try await withTimeout(.seconds(300)) { try await server.waitClosed() }
        try await world.eventually("every protocol is told of its end") { lives.open == 0 }
      }
    },
  ]
}

/// What the protocols of a world have been told. In the loop's thread, which is what makes the unchecked conformance
/// right.
final class ProtocolLives: @unchecked Sendable {
  let world: SimulationWorld
  /// Those that have a connection now.
  var open = 0

  init(_ world: SimulationWorld) { self.world = world }

  func demand(_ condition: Bool, _ message: String) { if !condition { world.fail(message) } }
}

/// What every protocol is told, and in which order it may be told. In the loop's thread, which is what makes the
/// unchecked conformance right.
class WatchedProtocol: @unchecked Sendable {
  let lives: ProtocolLives
  private(set) var transport: StreamTransport?
  private var isOver = false
  private var isPaused = false
  private var hasEnded = false

  init(_ lives: ProtocolLives) { self.lives = lives }

  /// Take the place of another one, which is told nothing any more.
  init(_ lives: ProtocolLives, of transport: StreamTransport) { (self.lives, self.transport) = (lives, transport) }

  func connectionMade(_ transport: StreamTransport) throws {
    lives.demand(self.transport == nil, "a protocol was told twice of its connection")
    self.transport = transport
    lives.open += 1
    try begin()
  }

  func begin() throws {}
  func received(_ bytes: [UInt8]) throws {}

  func heard() {
    lives.demand(transport != nil && !isOver && !hasEnded, "bytes came before the beginning or after the end")
  }

  func eofReceived() throws -> Bool {
    lives.demand(transport != nil && !isOver && !hasEnded, "the end came twice, or too early or too late")
    hasEnded = true
    return false
  }

  func connectionLost(_ error: (any Error)?) throws {
    lives.demand(transport != nil && !isOver, "a protocol was told twice of its end, or without a beginning")
    isOver = true
    lives.open -= 1
    transport = nil
  }

  func pauseWriting() throws {
    lives.demand(!isPaused && !isOver, "pauseWriting came twice, or after the end")
    isPaused = true
    lives.world.sometimes("a protocol is told to pause")
  }

  func resumeWriting() throws {
    lives.demand(isPaused && !isOver, "resumeWriting came without a pause, or after the end")
    isPaused = false
  }
}

/// Sends back what comes, and reads no faster than its client does.
final class EchoProtocol: WatchedProtocol, StreamProtocol, @unchecked Sendable {
  override func begin() throws { try transport?.setWriteBufferLimits(high: 2000, low: 500) }

  func dataReceived(_ bytes: RawSpan) throws {
    heard()
    try transport?.write(bytes)
  }

  override func pauseWriting() throws {
    try super.pauseWriting()
    transport?.pauseReading()
  }

  override func resumeWriting() throws {
    try super.resumeWriting()
    transport?.resumeReading()
  }
}

/// Listens, and says nothing.
final class SilentProtocol: WatchedProtocol, StreamProtocol, @unchecked Sendable {
  func dataReceived(_ bytes: RawSpan) throws { heard() }
}

/// Sends bytes, half-closes, and compares what comes back.
final class Asker {
  let lives: ProtocolLives
  let bytes: [UInt8]
  let done: Future<Void>
  var answer: [UInt8] = []

  init(_ lives: ProtocolLives, _ bytes: [UInt8], _ done: Future<Void>) {
    (self.lives, self.bytes, self.done) = (lives, bytes, done)
  }

  func begin(_ transport: StreamTransport?) throws {
    try transport?.write(Array(bytes[..<(bytes.count / 2)]))
    try transport?.write(Array(bytes[(bytes.count / 2)...]))
    try transport?.writeEOF()
  }

  func end(_ error: (any Error)?) throws {
    lives.demand(error == nil, "a connection was lost: \(error.map { "\($0)" } ?? "")")
    lives.demand(answer == bytes, "\(answer.count) of \(bytes.count) bytes, or others, came back")
    try done.setResult(())
  }
}

/// An asker that is given its bytes.
final class ChunkAsker: WatchedProtocol, StreamProtocol, @unchecked Sendable {
  private let asker: Asker
  private var chunks = 0

  init(_ asker: Asker) {
    self.asker = asker
    super.init(asker.lives)
  }

  override func begin() throws { try asker.begin(transport) }

  func dataReceived(_ bytes: RawSpan) throws {
    heard()
    asker.answer += bytes.withUnsafeBytes { Array($0) }
    chunks += 1
    guard chunks % 3 == 0, let transport else { return }
    transport.pauseReading()
    try transport.loop.callLater(lives.world.random.around(.milliseconds(1))) { [self] in
      self.transport?.resumeReading()
    }
  }

  override func connectionLost(_ error: (any Error)?) throws {
    try super.connectionLost(error)
    try asker.end(error)
  }
}

/// An asker that lends memory for its bytes.
final class BufferedAsker: WatchedProtocol, BufferedProtocol, @unchecked Sendable {
  private let asker: Asker
  private var buffer = [UInt8](repeating: 0, count: 700)

  init(_ asker: Asker) {
    self.asker = asker
    super.init(asker.lives)
  }

  override func begin() throws { try asker.begin(transport) }

  func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) throws { lend(&buffer, to: fill) }

  func bufferUpdated(_ count: Int) throws {
    heard()
    asker.answer += buffer[..<count]
  }

  override func connectionLost(_ error: (any Error)?) throws {
    try super.connectionLost(error)
    try asker.end(error)
  }
}

internal import AsyncIO

/// A protocol object that marks what it is told, and does what a check wants in the calls. For the loop's thread.
final class StreamProbe: StreamProtocol {
  let trail: Trail
  private(set) var transport: StreamTransport?
  private(set) var received: [UInt8] = []
  private(set) var lost: (any Error)?
  private(set) var isLost = false

  var onMade: (StreamTransport) throws -> Void = { _ in }
  var onData: (StreamProbe) throws -> Void = { _ in }
  var onEnd: () throws -> Bool = { false }
  var onPause: () throws -> Void = {}
  var onResume: () throws -> Void = {}
  var onLost: () -> Void = {}

  init(_ trail: Trail = Trail(), _ script: (StreamProbe) -> Void = { _ in }) {
    self.trail = trail
    script(self)
  }

  func connectionMade(_ transport: StreamTransport) throws {
    trail.mark("made")
    self.transport = transport
    try onMade(transport)
  }

  func dataReceived(_ bytes: RawSpan) throws {
    // The system decides how chunks are cut; that there was data is one mark.
    if trail.marks.last != "data" { trail.mark("data") }
    bytes.withUnsafeBytes { received.append(contentsOf: $0) }
    try onData(self)
  }

  func eofReceived() throws -> Bool {
    trail.mark("end")
    return try onEnd()
  }

  func pauseWriting() throws {
    trail.mark("pause")
    try onPause()
  }

  func resumeWriting() throws {
    trail.mark("resume")
    try onResume()
  }

  func connectionLost(_ error: (any Error)?) {
    trail.mark("lost")
    lost = error
    isLost = true
    transport = nil
    onLost()
  }

  /// Release the transport.
  func forget() { transport = nil }

  /// Queue a mark at each chunk: "data" and then "queued".
  func marksWhatItQueues(on loop: any EventLoop) {
    onData = { probe in try loop.callSoon { [trail = probe.trail] in trail.mark("queued") } }
  }
}

/// A transport with its probe; a check has the other end of the socket pair.
struct ProbedPair {
  let transport: StreamTransport
  let probe: StreamProbe
  let sockets: SocketPair
  var peer: Int32 { sockets.far }
}

/// Both ends of a connection over the loopback, each with a probe.
struct ProbedConnection {
  let client: StreamProbe
  let served: StreamProbe
  let server: Server
}

extension ConformanceSubject {
  /// Give one end of a socket pair to a transport of the loop, which runs.
  func probedPair(_ loop: any EventLoop, _ script: (StreamProbe) -> Void = { _ in }) async throws -> ProbedPair {
    let sockets = try socketPair()
    let (transport, probe) = try await loop.connectAcceptedSocket(sockets.near) { StreamProbe(Trail(), script) }
    sockets.release(sockets.near)
    return ProbedPair(transport: transport, probe: probe, sockets: sockets)
  }

  /// A server of the loop on the loopback, and one client that is connected to it.
  func probedConnection(_ loop: any EventLoop) async throws -> ProbedConnection {
    var probes: [StreamProbe] = []
    let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
      let probe = StreamProbe()
      probes.append(probe)
      return probe
    }
    let (_, client) = try await loop.createConnection(host: "127.0.0.1", port: try port(of: server)) { StreamProbe() }
    try await turn("the client is served") { probes.first?.transport != nil }
    return ProbedConnection(client: client, served: probes[0], server: server)
  }

  func port(of server: Server) throws -> UInt16 {
    try unwrap("a port", server.addresses.first?.port)
  }

  /// Let the loop turn until the condition holds.
  func turn(_ what: String, until condition: () -> Bool) async throws {
    for _ in 0..<20_000 {
      if condition() { return }
      try await sleep(for: .microseconds(200))
    }
    try fail("\(what): it did not happen")
  }

  /// Expect that each chunk was followed by what it queued, and the last one then by the end. How bytes are cut into
  /// chunks is the system's choice.
  func expectTurns(_ what: String, _ trail: Trail) throws {
    let turns = (trail.count - 3) / 2
    try expect("\(what): some", turns > 0)
    let text = "made" + String(repeating: " data queued", count: turns) + " end lost"
    if trail.text != text { try fail("\(what): saw \(trail.text)") }
    try expect("\(what): in turns", trail.text == text)
  }

  /// Read from a peer while the loop turns, until this many bytes have come.
  func read(_ count: Int, from peer: Int32, of sockets: SocketPair) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    try await turn("\(count) bytes for the peer") {
      bytes += sockets.bytes(from: peer)
      return bytes.count >= count
    }
    return bytes
  }

  /// Fail unless the asynchronous body is refused with this code.
  func expectRefusal<Value>(
    _ name: String, _ code: EventLoopError.Code, _ body: () async throws -> Value
  ) async throws {
    do {
      _ = try await body()
    } catch let error as EventLoopError {
      return try expect(name, "\(error.code)", "\(code)")
    }
    try fail("\(name): expected the refusal \(code), saw none")
  }
}

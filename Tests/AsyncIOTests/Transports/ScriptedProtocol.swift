@testable import AsyncIO

/// Records its calls, and does in each what a test asks for.
final class ScriptedProtocol: StreamProtocol {
  var events: [String] = []
  var received: [UInt8] = []
  var transport: StreamTransport?
  var lost: (any Error)?

  var onMade: (StreamTransport) throws -> Void = { _ in }
  var onData: (ScriptedProtocol) throws -> Void = { _ in }
  var onEnd: () throws -> Bool = { false }
  var onPause: () throws -> Void = {}
  var onResume: () throws -> Void = {}
  var onLost: () throws -> Void = {}

  init(_ script: (ScriptedProtocol) -> Void = { _ in }) { script(self) }

  func connectionMade(_ transport: StreamTransport) throws {
    events.append("made")
    self.transport = transport
    try onMade(transport)
  }

  func dataReceived(_ bytes: RawSpan) throws {
    if events.last != "data" { events.append("data") }
    bytes.withUnsafeBytes { received.append(contentsOf: $0) }
    try onData(self)
  }

  func eofReceived() throws -> Bool {
    events.append("end")
    return try onEnd()
  }

  func pauseWriting() throws {
    events.append("pause")
    try onPause()
  }

  func resumeWriting() throws {
    events.append("resume")
    try onResume()
  }

  func connectionLost(_ error: (any Error)?) throws {
    events.append("lost")
    lost = error
    transport = nil
    try onLost()
  }

  var isLost: Bool { events.last == "lost" }
}

/// A transport with its protocol over one end of a socket pair; the test has the other end.
struct TransportPair {
  let transport: StreamTransport
  let proto: ScriptedProtocol
  let sockets: SocketPair
  var peer: Int32 { sockets.b }
}

extension BaseEventLoop {
  /// On this loop, which runs.
  func makePair(_ script: (ScriptedProtocol) -> Void = { _ in }) async throws -> TransportPair {
    let sockets = try SocketPair()
    let (transport, proto) = try await connectAcceptedSocket(sockets.a) { ScriptedProtocol(script) }
    sockets.release(sockets.a)
    return TransportPair(transport: transport, proto: proto, sockets: sockets)
  }
}

/// What a loop reports, for a test to look at.
final class Reports: Sendable {
  private let recorder = Recorder<ExceptionContext>()
  var all: [ExceptionContext] { recorder.all }

  init(of loop: BaseEventLoop) {
    loop.exceptionHandler = { [recorder] _, context in recorder.record(context) }
  }
}

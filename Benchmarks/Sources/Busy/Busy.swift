// `busy [--loop KIND] [--api streams|protocol] SHAPE PORT`: an echo server whose loop has other things to do as well.
// Serves 127.0.0.1 until a signal ends it. The peers' programs have the same shapes:
//
// - hog: a callback that computes for 20 µs and schedules itself for the next turn, forever. A fair loop looks at its
//   descriptors in every turn, so a message waits for one callback; another one serves what is queued first.
// - slow: a callback that computes for 2 ms, every 50 ms. Every loop stands still meanwhile. What counts is how it goes
//   on with what has piled up.
//
// The occupation begins before the server listens: a loop that never comes to its descriptors is seen as a server that
// does not answer.

import AsyncIO
import MicroSupport

@main
enum Busy {
  static func main() {
    do {
      let options = try Options(Array(CommandLine.arguments.dropFirst()))
      let runner = Runner(.process) { try EventLoopKinds.make(options.loop) }
      try runner.run {
        try Occupation(try getRunningLoop()).begin(options.shape)
        try await serve(options)
      }
      try runner.close()
    } catch let error as UsageError {
      end(Status.usage, "busy: \(error.description)\n\(Options.usage)")
    } catch let error as EventLoopError where error.code == .notOffered {
      end(Status.notOffered, "busy: \(error.description)")
    } catch {
      end(Status.failed, "busy: \(error)")
    }
  }

  static func serve(_ options: Options) async throws {
    switch options.api {
    case .streams:
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: options.port)
      try await listener.serve { connection in
        try await connection.forEachChunk { bytes in try await connection.write(bytes) }
      }
    case .protocol:
      let server = try await getRunningLoop().createServer(host: "127.0.0.1", port: options.port) { Echo() }
      try await server.serveForever()
    }
  }
}

/// What the loop does besides serving. For the loop's thread alone, which makes the unchecked conformance right.
private final class Occupation: @unchecked Sendable {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) { self.loop = loop }

  func begin(_ shape: Shape) throws {
    switch shape {
    case .hog: try hog()
    case .slow: try loop.callSoon { try self.slow(since: self.loop.time()) }
    }
  }

  private func hog() throws {
    compute(nanoseconds: 20_000)
    try loop.callSoon { try self.hog() }
  }

  private func slow(since start: EventLoopInstant) throws {
    compute(nanoseconds: 2_000_000)
    let next = start.advanced(by: .milliseconds(50))
    try loop.callAt(next) { try self.slow(since: next) }
  }
}

/// Sends back what comes, and reads no more while its peer does not read.
private final class Echo: StreamProtocol {
  private var transport: StreamTransport?

  func connectionMade(_ transport: StreamTransport) { self.transport = transport }
  func dataReceived(_ bytes: RawSpan) throws { try transport?.write(bytes) }
  func pauseWriting() { transport?.pauseReading() }
  func resumeWriting() { transport?.resumeReading() }
  func connectionLost(_ error: (any Error)?) { transport = nil }
}

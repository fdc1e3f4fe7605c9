import ArgumentParser
import AsyncIO

/// `asyncio echo`: the server that the benchmarks drive.
struct EchoCommand: ParsableCommand {
  enum API: String, CaseIterable, ExpressibleByArgument {
    case streams, sync, `protocol`
  }

  static let configuration = CommandConfiguration(
    commandName: "echo",
    abstract: "Run a TCP echo server.",
    discussion: """
      Sends every byte back to who sent it. --api streams runs an async closure for each chunk, --api sync a
      synchronous one inside the loop's poll phase, --api protocol a protocol object for each client. Ends with SIGINT
      or SIGTERM.
      """
  )

  @Option(help: "Address or name to listen on.")
  var host = "127.0.0.1"

  @Option(help: "Port to listen on; 0 lets the system choose.")
  var port: UInt16

  @Option(help: "The form of the handler: streams, sync or protocol.")
  var api = API.streams

  @OptionGroup var loop: LoopOptions

  func run() throws {
    let (host, port, api) = (host, port, api)
    try loop.run {
      switch api {
      case .streams: try await Self.serve(host, port, api, Self.echo)
      case .sync: try await Self.serve(host, port, api, Self.echoSynchronously)
      case .protocol: try await Self.serveProtocols(host, port)
      }
    }
  }

  private static func serve(
    _ host: String, _ port: UInt16, _ api: API, _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) async throws {
    let listener = try await StreamListener.bind(host: host, port: port)
    announce("echo (\(api.rawValue)) on \(Self.names(listener.addresses))")
    try await listener.serve(handler)
  }

  private static func serveProtocols(_ host: String, _ port: UInt16) async throws {
    let server = try await getRunningLoop().createServer(host: host, port: port) { EchoProtocol() }
    announce("echo (protocol) on \(Self.names(server.addresses))")
    try await server.serveForever()
  }

  private static func names(_ addresses: [SocketAddress]) -> String {
    addresses.map(\.description).joined(separator: ", ")
  }

  @Sendable static func echo(_ connection: StreamConnection) async throws {
    try await connection.forEachChunk { bytes in
      try await connection.write(bytes)
    }
  }

  @Sendable static func echoSynchronously(_ connection: StreamConnection) async throws {
    try await connection.forEachChunk { bytes, output in
      output.write(bytes)
    }
  }
}

/// Sends back what comes, and reads no more while its peer does not read.
private final class EchoProtocol: StreamProtocol {
  private var transport: StreamTransport?

  func connectionMade(_ transport: StreamTransport) { self.transport = transport }
  func dataReceived(_ bytes: RawSpan) throws { try transport?.write(bytes) }
  func pauseWriting() { transport?.pauseReading() }
  func resumeWriting() { transport?.resumeReading() }
  func connectionLost(_ error: (any Error)?) { transport = nil }
}

import ArgumentParser
import AsyncIO
import AsyncIOPrograms

/// `asyncio echo`: the server that the benchmarks drive.
struct EchoCommand: ParsableCommand {
  enum API: String, CaseIterable {
    case streams, sync, `protocol`
  }

  static let configuration = CommandConfiguration(
    commandName: "echo",
    abstract: "Run a TCP echo server.",
    discussion: """
      Sends every byte back to who sent it. --api streams runs an async closure for each chunk, --api sync a \
      synchronous one inside the loop's poll phase, --api protocol a protocol object for each client. Ends with SIGINT \
      or SIGTERM. With --tls-cert the clients speak TLS; SIGHUP reads certificates and keys again.
      """
  )

  @Option(parsing: .unconditional, help: "Address or name to listen on.")
  var host = "127.0.0.1"

  @Option(
    parsing: .unconditional, help: "Port to listen on; 0 lets the system choose.",
    transform: OptionValue.number(0...UInt16.max))
  var port: UInt16

  @Option(
    parsing: .unconditional, help: "The form of the handler: streams, sync or protocol.",
    transform: OptionValue.choice(API.self))
  var api = API.streams

  @OptionGroup var tls: TLSServerOptions
  @OptionGroup var loop: LoopOptions
  @OptionGroup var loops: LoopCount

  func run() throws {
    let (host, port, api, tls) = (host, port, api, try tls.context())
    let ready = try Barrier(loops.number)
    // Printed when every loop listens: from then on clients are dealt out among all.
    let tell: @Sendable ([SocketAddress], LoopGroup) async throws -> Void = { addresses, group in
      try await ready.wait()
      guard group.index == 0 else { return }
      announce("echo (\(api.rawValue)) on \(addresses.map(\.description).joined(separator: ", "))")
    }
    try loop.run(loops: loops.number) { group in
      if group.index == 0, let tls { try group.loop.reloadOnHangup([("certificates", tls)]) }
      guard api != .protocol else {
        let server = try await Self.serve(host, port, tls, group)
        try await tell(server.addresses, group)
        return try await server.serveForever()
      }
      let listener = try await Self.listen(host, port, tls, group)
      try await tell(listener.addresses, group)
      try await listener.serve(api == .streams ? Self.echo : Self.echoSynchronously)
    }
  }

  private static func serve(
    _ host: String, _ port: UInt16, _ tls: TLSContext?, _ group: LoopGroup
  ) async throws -> Server {
    guard let tls else {
      return try await group.loop.createServer(host: host, port: port, sharedBy: group) { EchoProtocol() }
    }
    return try await group.loop.createServer(host: host, port: port, sharedBy: group, tls: tls) { EchoProtocol() }
  }

  private static func listen(
    _ host: String, _ port: UInt16, _ tls: TLSContext?, _ group: LoopGroup
  ) async throws -> StreamListener {
    guard let tls else { return try await StreamListener.bind(host: host, port: port, sharedBy: group) }
    return try await StreamListener.bind(host: host, port: port, sharedBy: group, tls: tls)
  }

  @Sendable static func echo(_ connection: StreamConnection) async throws {
    try await connection.forEachChunk { bytes in
      try await connection.write(bytes)
    }
  }

  @Sendable static func echoSynchronously(_ connection: StreamConnection) async throws {
    try await connection.serveChunks { bytes, output in
      output.write(bytes)
    }
  }
}

/// Sends back what comes, and stops reading while its peer does not read.
private final class EchoProtocol: StreamProtocol {
  private var transport: StreamTransport?

  func connectionMade(_ transport: StreamTransport) { self.transport = transport }
  func dataReceived(_ bytes: RawSpan) throws { try transport?.write(bytes) }
  func pauseWriting() { transport?.pauseReading() }
  func resumeWriting() { transport?.resumeReading() }
  func connectionLost(_ error: (any Error)?) { transport = nil }
}

import ArgumentParser
import AsyncIO

/// `asyncio echo`: the server that the benchmarks drive.
struct EchoCommand: ParsableCommand {
  enum API: String, CaseIterable, ExpressibleByArgument {
    case streams, sync
  }

  static let configuration = CommandConfiguration(
    commandName: "echo",
    abstract: "Run a TCP echo server.",
    discussion: """
      Sends every byte back to who sent it. --api streams runs an async closure for each chunk, --api sync a
      synchronous one inside the loop's poll phase. Ends with SIGINT or SIGTERM.
      """
  )

  @Option(help: "Address or name to listen on.")
  var host = "127.0.0.1"

  @Option(help: "Port to listen on; 0 lets the system choose.")
  var port: UInt16

  @Option(help: "The form of the handler: streams or sync.")
  var api = API.streams

  @OptionGroup var loop: LoopOptions

  func run() throws {
    let (host, port, api) = (host, port, api)
    try loop.run {
      let listener = try await StreamListener.bind(host: host, port: port)
      announce("echo (\(api.rawValue)) on \(listener.addresses.map(\.description).joined(separator: ", "))")
      switch api {
      case .streams: try await listener.serve(Self.echo)
      case .sync: try await listener.serve(Self.echoSynchronously)
      }
    }
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

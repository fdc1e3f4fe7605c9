import AsyncIO

/// A TCP echo server on port 7000. Try it: `nc localhost 7000`. `ASYNCIO_EVENT_LOOP=poll` runs it on another loop.
@main struct EchoServer: AsyncProgram {
  static func run() async throws {
    let listener = try await StreamListener.bind(host: "localhost", port: 7000)
    print("listening on \(listener.addresses.map(\.description).joined(separator: " and "))")
    try await listener.serve { connection in
      try await connection.forEachChunk { bytes in
        try await connection.write(bytes)
      }
    }
  }
}

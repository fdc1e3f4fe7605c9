import AsyncIO

/// A TCP echo server on port 7000, with a thread, a loop and a listener for each core. Try it: `nc localhost 7000`,
/// some times; it tells which loop has got the client. Ctrl-C ends it.
@main struct EchoOnAllCores {
  static func main() throws {
    do {
      try AsyncIO.run(loops: LoopGroup.availableProcessors, serve)
    } catch is KeyboardInterrupt {
      print("served")
    }
  }

  /// Run once on each loop. What it makes belongs to that loop; nothing here needs a lock.
  @Sendable static func serve(on group: LoopGroup) async throws {
    let listener = try await StreamListener.bind(host: "localhost", port: 7000, sharedBy: group)
    try await listener.serve { connection in
      print("loop \(group.index) has \(connection.peerAddress.map(\.description) ?? "a client")")
      try await connection.forEachChunk { bytes in
        try await connection.write(bytes)
      }
    }
  }
}

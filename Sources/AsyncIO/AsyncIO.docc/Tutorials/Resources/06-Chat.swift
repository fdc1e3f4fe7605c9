import AsyncIO

/// A chat on port 7000: `nc 127.0.0.1 7000`.
@main struct Chat: AsyncProgram {
  static func run() async throws {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 7000)
    let server = ChatServer(listener: listener)
    print("listening on port \(listener.port)")
    try await server.run()
  }
}

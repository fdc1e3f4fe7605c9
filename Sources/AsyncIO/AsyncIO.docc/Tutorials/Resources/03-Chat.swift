import AsyncIO

@main struct Chat: AsyncProgram {
  static func run() async throws {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 7000)
    print("listening on port \(listener.port)")
    try await listener.serve { connection in
      for try await line in connection.lines(limit: 1000) {
        try await connection.write("you said: \(line)\n")
      }
    }
  }
}

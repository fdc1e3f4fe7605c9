import ArgumentParser
import AsyncIO

/// A command with options whose whole process runs on one loop: an ordinary `ParsableCommand`, whose `run()` is
/// synchronous and the first to start a task.
@main struct Ping: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Send messages to an echo server, and time them.")

  @Option(help: "How many messages.") var count = 3

  func validate() throws {
    guard (1...1000).contains(count) else { throw ValidationError("--count is \(count). Give 1 to 1000.") }
  }

  func run() throws {
    let count = count
    try AsyncIO.run {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let server = Task {
        try await listener.serve { connection in
          try await connection.forEachChunk { bytes in try await connection.write(bytes) }
        }
      }
      let connection = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      defer { connection.close() }
      let clock = ContinuousClock()
      for number in 1...count {
        let time = try await clock.measure {
          try await connection.write("message \(number)\n")
          _ = try await connection.readLine()
        }
        print("message \(number): \(time)")
      }
      server.cancel()
    }
  }
}

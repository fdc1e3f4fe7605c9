import ArgumentParser
import AsyncIO

/// The same under an `async` main. Everything is in a task already, so the loop cannot have the process: the awaited
/// form of `AsyncIO.run` gives it a thread of its own, for as long as its body takes.
@main struct PingAsync: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Send messages to an echo server, and time them.")

  @Option(help: "How many messages.") var count = 3

  func validate() throws {
    guard (1...1000).contains(count) else { throw ValidationError("--count is \(count). Give 1 to 1000.") }
  }

  func run() async throws {
    let count = count
    let times = try await AsyncIO.run {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      // A plain `Task { }` would leave the loop; one of createTask stays, and ends with the run.
      try getRunningLoop().createTask {
        try await listener.serve { connection in
          try await connection.forEachChunk { bytes in try await connection.write(bytes) }
        }
      }
      let connection = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      defer { connection.close() }
      var times: [Duration] = []
      let clock = ContinuousClock()
      for number in 1...count {
        times.append(
          try await clock.measure {
            try await connection.write("message \(number)\n")
            _ = try await connection.readLine()
          })
      }
      return times
    }
    // Here it is the main actor's turn again.
    for (number, time) in times.enumerated() { print("message \(number + 1): \(time)") }
  }
}

import AsyncIO
import Glibc

/// A chat on port 7000: `nc 127.0.0.1 7000`. SIGTERM stops it, and lets everybody hear of it first.
@main struct Chat: AsyncProgram {
  static func run() async throws {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 7000)
    let server = ChatServer(listener: listener)
    let stop = Event()
    try getRunningLoop().addSignalHandler(SIGTERM) { stop.set() }
    print("listening on port \(listener.port)")
    try await server.run(until: stop)
    print("everybody has gone")
  }
}

// `echo PORT`: the smallest echo server, for its start and its size. It reads no options: a parser of them would be
// more code than the server, and start slower.

import AsyncIO

@main
struct Echo: AsyncProgram {
  static func run() async throws {
    guard let port = CommandLine.arguments.last.flatMap(UInt16.init) else {
      throw EventLoopError(.invalidArgument, "echo: the last argument is the port, a number from 0 to 65535.")
    }
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: port)
    try await listener.serve { connection in
      try await connection.forEachChunk { bytes in try await connection.write(bytes) }
    }
  }
}

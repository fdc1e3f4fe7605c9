// literal: asks the loop for the addresses of "127.0.0.1", which needs no resolver and so must not need a thread.

import AsyncIO

func lookUpLiteral(_ bench: Bench) throws {
  let loop = bench.loop
  try bench.measureTask { count in
    for _ in 0..<count {
      let found = try await loop.getaddrinfo(host: "127.0.0.1", port: 80, type: .stream)
      precondition(found.count == 1)
    }
  }
}

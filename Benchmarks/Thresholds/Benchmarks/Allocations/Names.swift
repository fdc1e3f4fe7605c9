// Addresses that are written as numbers, for which nobody has to be asked.

import AsyncIO

func registerNames() {
  count("names.literal") { bench in
    let loop = bench.loop
    try bench.measureTask { count in
      for _ in 0..<count { _ = try await loop.getaddrinfo(host: "127.0.0.1", port: 80, type: .stream) }
    }
  }
}

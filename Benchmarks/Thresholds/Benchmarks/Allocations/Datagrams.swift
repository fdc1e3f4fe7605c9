// A datagram of 64 bytes there and back. Both endpoints are on one loop, and both are counted.

import AsyncIO

private let datagram = [UInt8](repeating: 120, count: 64)

func registerDatagrams(on loop: String) {
  count("datagrams.echo.\(loop)", on: loop) { bench in
    let meter = bench.meter
    try bench.runner.run {
      let server = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      let port = server.localAddress?.port ?? 0
      let serving = Task(executorPreference: try getRunningLoop().taskExecutor) {
        try await server.forEachDatagram { bytes, address in try await server.send(bytes, to: address) }
      }
      let client = try await DatagramEndpoint.connect(host: "127.0.0.1", port: port)
      try await meter.measure { count in
        for _ in 0..<count {
          try await client.send(datagram.span.bytes)
          try await client.withDatagram { bytes, _ in precondition(bytes.byteCount == datagram.count) }
        }
      }
      client.close()
      server.close()
      _ = await serving.result
    }
  }
}

// A message of 64 bytes over the loopback and back. Client and server are on one loop, and both are counted; the client
// reads into memory of its own.

import AsyncIO

private let message = [UInt8](repeating: 120, count: 64)

/// Sends the message and waits until all of it is back, so many times.
private func exchange(_ connection: StreamConnection, _ memory: inout [UInt8], _ count: Int) async throws {
  for _ in 0..<count {
    try await connection.write(message.span.bytes)
    var span = memory.mutableSpan
    var bytes = span.mutableBytes
    var received = 0
    while received < message.count {
      let n = try await connection.read(into: &bytes)
      precondition(n > 0, "the server closed the connection")
      received += n
    }
  }
}

/// Counts the exchanges with whoever listens on the port.
private func measureExchanges(_ meter: Meter, port: UInt16) async throws {
  let connection = try await StreamConnection.connect(host: "127.0.0.1", port: port)
  defer { connection.close() }
  var memory = [UInt8](repeating: 0, count: 4096)
  try await meter.measure { count in try await exchange(connection, &memory, count) }
  // The server has ended its side, too, before it is stopped.
  try connection.writeEOF()
  _ = try await connection.readToEnd()
}

private func countEcho(
  _ name: String, on loop: String, _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
) {
  count(name, on: loop) { bench in
    let meter = bench.meter
    try bench.runner.run {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let server = Task(executorPreference: try getRunningLoop().taskExecutor) { try await listener.serve(handler) }
      try await measureExchanges(meter, port: listener.port)
      server.cancel()
      _ = await server.result
    }
  }
}

private final class EchoProtocol: StreamProtocol {
  private var transport: StreamTransport?

  func connectionMade(_ transport: StreamTransport) { self.transport = transport }
  func dataReceived(_ bytes: RawSpan) throws { try transport?.write(bytes) }
  func connectionLost(_ error: (any Error)?) { transport = nil }
}

func registerStreams(on loop: String) {
  countEcho("streams.echo.async.\(loop)", on: loop) { connection in
    try await connection.forEachChunk { bytes in try await connection.write(bytes) }
  }
  countEcho("streams.echo.sync.\(loop)", on: loop) { connection in
    try await connection.forEachChunk { bytes, output in output.write(bytes) }
  }
  count("streams.echo.protocol.\(loop)", on: loop) { bench in
    let (meter, loop) = (bench.meter, bench.loop)
    try bench.runner.run {
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) { EchoProtocol() }
      try await measureExchanges(meter, port: server.addresses.first?.port ?? 0)
      server.close()
      try await server.waitClosed()
    }
  }
}

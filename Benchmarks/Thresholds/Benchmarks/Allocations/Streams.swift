// A message of 64 bytes over the loopback and back. Client and server are on one loop, and both are counted; the client
// reads into memory of its own.

import AsyncIO

private let message = [UInt8](repeating: 120, count: 64)

/// Send the message and wait until all of it is back, again and again.
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

/// Count the exchanges with the server on the port.
func measureExchanges(_ meter: Meter, port: UInt16, tls: TLSContext? = nil) async throws {
  let connection = try await StreamConnection.connect(
    host: "127.0.0.1", port: port, tls: tls, serverHostname: tls == nil ? nil : Protection.host)
  defer { connection.close() }
  var memory = [UInt8](repeating: 0, count: 4096)
  try await meter.measure { count in try await exchange(connection, &memory, count) }
  // The server has also ended its side before it is stopped.
  try connection.writeEOF()
  _ = try await connection.readToEnd()
}

typealias Handler = @Sendable (StreamConnection) async throws -> Void

@Sendable func echo(_ connection: StreamConnection) async throws {
  try await connection.forEachChunk { bytes in try await connection.write(bytes) }
}

@Sendable func echoSynchronously(_ connection: StreamConnection) async throws {
  try await connection.serveChunks { bytes, output in output.write(bytes) }
}

private final class EchoProtocol: StreamProtocol {
  private var transport: StreamTransport?

  func connectionMade(_ transport: StreamTransport) { self.transport = transport }
  func dataReceived(_ bytes: RawSpan) throws { try transport?.write(bytes) }
  func connectionLost(_ error: (any Error)?) { transport = nil }
}

/// Serve with the handler for as long as the body runs, which is told the port. In a task of the loop.
func withServer(
  _ handler: @escaping Handler, tls: TLSContext? = nil, _ body: (UInt16) async throws -> Void
) async throws {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: tls)
  let server = Task(executorPreference: try getRunningLoop().taskExecutor) { try await listener.serve(handler) }
  try await body(listener.port)
  server.cancel()
  _ = await server.result
}

/// The same with a protocol object for each connection.
func withProtocolServer(
  on loop: BaseEventLoop, tls: TLSContext? = nil, _ body: (UInt16) async throws -> Void
) async throws {
  let server = try await loop.createServer(host: "127.0.0.1", port: 0, tls: tls) { EchoProtocol() }
  try await body(server.addresses.first?.port ?? 0)
  server.close()
  try await server.waitClosed()
}

private func countEcho(_ name: String, on loop: String, _ handler: @escaping Handler) {
  count("streams.echo.\(name).\(loop)", on: loop) { bench in
    let meter = bench.meter
    try bench.runner.run {
      try await withServer(handler) { port in try await measureExchanges(meter, port: port) }
    }
  }
}

func registerStreams(on loop: String) {
  countEcho("async", on: loop, echo)
  countEcho("sync", on: loop, echoSynchronously)
  count("streams.echo.protocol.\(loop)", on: loop) { bench in
    let (meter, loop) = (bench.meter, bench.loop)
    try bench.runner.run {
      try await withProtocolServer(on: loop) { port in try await measureExchanges(meter, port: port) }
    }
  }
}

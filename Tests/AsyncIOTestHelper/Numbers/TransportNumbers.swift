import AsyncIO
import POSIX

/// A protocol of every kind that does nothing.
private final class Silent: StreamProtocol, DatagramProtocol {
  func connectionMade(_ transport: BaseTransport) throws {}
  func connectionMade(_ transport: StreamTransport) throws {}
  func connectionMade(_ transport: DatagramTransport) throws {}
  func dataReceived(_ bytes: RawSpan) throws {}
  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {}
}

private final class Lending: BufferedProtocol {
  func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) throws {}
  func bufferUpdated(_ count: Int) throws {}
}

/// Transports: what they are made of, and their limits.
func probeTransports(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
  defer { listener.close() }
  let port = listener.port
  let connection =
    "EventLoop.createConnection(host:port:tls:serverHostname:family:proto:flags:localHost:localPort:"
    + "happyEyeballsDelay:interleave:allErrors:_:)"
  await probe.each(connection, Extreme.durations, refusing: { $0 < .zero }) { value in
    try await loop.createConnection(host: "127.0.0.1", port: port, happyEyeballsDelay: value) { Silent() }.0.close()
  }
  await probe.each(connection, Extreme.ints, refusing: { $0 < 1 }) { value in
    try await loop.createConnection(host: "127.0.0.1", port: port, interleave: value) { Silent() }.0.close()
  }
  await probe.each(connection, Extreme.int32s) { value in
    try await loop.createConnection(host: "127.0.0.1", port: port, proto: value) { Silent() }.0.close()
  }
  await probe.each(connection, Extreme.ports) { value in
    try await loop.createConnection(host: "127.0.0.1", port: value, localPort: value) { Silent() }.0.close()
  }
  let dead: [Int32] = [.min, -1, .max]
  await probe.each("EventLoop.createConnection(socket:tls:serverHostname:_:)", dead, refusing: nil) {
    _ = try await loop.createConnection(socket: $0) { Silent() }
  }
  await probe.each("EventLoop.connectAcceptedSocket(_:tls:_:)", dead, refusing: nil) {
    _ = try await loop.connectAcceptedSocket($0) { Silent() }
  }
  await probe.each("EventLoop.connectReadPipe(_:_:)", dead) { _ = try await loop.connectReadPipe($0) { Silent() } }
  await probe.each("EventLoop.connectWritePipe(_:_:)", dead) { _ = try await loop.connectWritePipe($0) { Silent() } }

  let datagrams =
    "EventLoop.createDatagramEndpoint(localAddress:remoteAddress:family:proto:flags:reusePort:allowBroadcast:socket:_:)"
  let any = DatagramName.host("127.0.0.1", port: 0)
  await probe.each(datagrams, Extreme.int32s) { value in
    try await loop.createDatagramEndpoint(localAddress: any, proto: value) { Silent() }.0.close()
  }
  await probe.each(datagrams, dead, refusing: nil) { value in
    _ = try await loop.createDatagramEndpoint(socket: value) { Silent() }
  }

  func negative(_ value: Int) -> Bool { value < 0 }
  let (stream, _) = try await loop.createConnection(host: "127.0.0.1", port: port) { Silent() }
  let (datagram, _) = try await loop.createDatagramEndpoint(localAddress: any) { Silent() }
  var ends: [Int32] = [-1, -1]
  guard pipe(&ends) == 0 else { return }
  let (writing, _) = try await loop.connectWritePipe(ends[1]) { Silent() }
  await probe.each("FlowControlledTransport.setWriteBufferLimits(high:low:)", Extreme.ints, refusing: negative) {
    value in
    try stream.setWriteBufferLimits(high: value)
    try stream.write([1, 2, 3])
    try stream.setWriteBufferLimits(low: value)
  }
  await probe.each("FlowControlledTransport.setWriteBufferLimits(high:low:) datagram", Extreme.ints, refusing: negative)
  { value in
    try datagram.setWriteBufferLimits(high: value)
    try datagram.setWriteBufferLimits(low: value)
  }
  await probe.each("FlowControlledTransport.setWriteBufferLimits(high:low:) pipe", Extreme.ints, refusing: negative) {
    value in
    try writing.setWriteBufferLimits(high: value)
    try writing.write([1, 2, 3])
    try writing.setWriteBufferLimits(low: value)
  }
  await probe.each("BufferedProtocol.lend(_:from:to:)", Extreme.ints) { value in
    var storage: [UInt8] = [1, 2]
    Lending().lend(&storage, from: value) { _ in }
    var none: [UInt8] = []
    Lending().lend(&none, from: value) { _ in }
  }
  try await withSmallFile { file in
    let key = "EventLoop.sendfile(_:_:offset:count:fallback:)"
    await probe.each(key, Extreme.int64s, refusing: { $0 < 0 }) {
      _ = try await loop.sendfile(stream, file, offset: $0)
    }
    await probe.each(key, Extreme.int64s, refusing: { $0 < 1 }) { _ = try await loop.sendfile(stream, file, count: $0) }
  }
  stream.close()
  datagram.close()
  writing.close()
  _ = close(ends[0])
  try await sleep(for: .zero)
}

/// Servers for protocol objects.
func probeServers(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  func tooSmall(_ value: Int32) -> Bool { value < 1 }
  let server =
    "EventLoop.createServer(host:port:tls:family:flags:backlog:reuseAddress:reusePort:keepAlive:startServing:_:)"
  await probe.each(server, Extreme.int32s, refusing: tooSmall) { value in
    try await loop.createServer(host: "127.0.0.1", port: 0, backlog: value) { Silent() }.close()
  }
  await probe.each(server, Extreme.ports) { value in
    try await loop.createServer(host: "127.0.0.1", port: value) { Silent() }.close()
  }
  let several =
    "EventLoop.createServer(hosts:port:tls:family:flags:backlog:reuseAddress:reusePort:keepAlive:startServing:_:)"
  await probe.each(several, Extreme.int32s, refusing: tooSmall) { value in
    try await loop.createServer(hosts: ["127.0.0.1"], port: 0, backlog: value) { Silent() }.close()
  }
  await probe.each(several, [[String]()], refusing: \.isEmpty) { value in
    try await loop.createServer(hosts: value, port: 0) { Silent() }.close()
  }
  let dead: [Int32] = [.min, -1, .max]
  await probe.each("EventLoop.createServer(socket:tls:backlog:startServing:_:)", dead, refusing: nil) { value in
    _ = try await loop.createServer(socket: value) { Silent() }
  }
  await probe.each("EventLoop.createServer(socket:tls:backlog:startServing:_:)", Extreme.int32s, refusing: nil) {
    value in
    _ = try await loop.createServer(socket: -1, backlog: value) { Silent() }
  }
  let unix = "EventLoop.createUnixServer(path:tls:backlog:cleanupSocket:mode:startServing:_:)"
  await probe.each(unix, Extreme.int32s, refusing: tooSmall) { value in
    try await loop.createUnixServer(path: "\0asyncio numbers s \(value)", backlog: value) { Silent() }.close()
  }
  try await sleep(for: .zero)
}

@_spi(Embedding) import AsyncIO
import POSIX

private final class Silent: StreamProtocol, DatagramProtocol {
  func connectionMade(_ transport: BaseTransport) throws {}
  func connectionMade(_ transport: StreamTransport) throws {}
  func connectionMade(_ transport: DatagramTransport) throws {}
  func dataReceived(_ bytes: RawSpan) throws {}
  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {}
}

/// The face for another language's runtime.
func probeEmbedding(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  guard let core = loop as? BaseEventLoop else { return }
  let dead: [Int32] = [.min, -1, .max]
  await probe.each("BaseEventLoop.embeddedTransport(over:isAwaited:_:)", dead) {
    _ = try core.embeddedTransport(over: $0, isAwaited: false, Silent())
  }
  await probe.each("BaseEventLoop.embeddedDatagramTransport(over:remote:isAwaited:_:)", dead, refusing: nil) {
    _ = try core.embeddedDatagramTransport(over: $0, remote: nil, isAwaited: false, Silent())
  }
  await probe.each("BaseEventLoop.embeddedReadPipe(over:isAwaited:_:)", dead) {
    _ = try core.embeddedReadPipe(over: $0, isAwaited: false, Silent())
  }
  await probe.each("BaseEventLoop.embeddedWritePipe(over:isAwaited:_:)", dead) {
    _ = try core.embeddedWritePipe(over: $0, isAwaited: false, Silent())
  }
  await probe.each("BaseEventLoop.embeddedServer(over:backlog:_:)", dead, refusing: nil) {
    _ = try core.embeddedServer(over: $0, backlog: 1) { Silent() }
  }
  await probe.each("BaseEventLoop.ownsDescriptor(_:)", dead) { _ = core.ownsDescriptor($0) }
  try await probeEmbeddedConnection(probe, core)
}

private func probeEmbeddedConnection(_ probe: NumberProbe, _ core: BaseEventLoop) async throws {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
  defer { listener.close() }
  let port = listener.port
  let name =
    "BaseEventLoop.embeddedConnection(host:port:family:proto:flags:localHost:localPort:happyEyeballsDelay:"
    + "interleave:_:)"
  func connect(_ port: UInt16, proto: Int32 = 0, delay: Duration? = nil, interleave: Int? = nil) async throws {
    try await core.embeddedConnection(
      host: "127.0.0.1", port: port, family: .unspecified, proto: proto, flags: [], localHost: nil, localPort: 0,
      happyEyeballsDelay: delay, interleave: interleave
    ) { Silent() }.close()
  }
  await probe.each(name, Extreme.durations, refusing: { $0 < .zero }) { try await connect(port, delay: $0) }
  await probe.each(name, Extreme.ints, refusing: { $0 < 1 }) { try await connect(port, interleave: $0) }
  await probe.each(name, Extreme.int32s) { try await connect(port, proto: $0) }
  await probe.each(name, Extreme.ports) { try await connect($0) }
}

@_spi(Channels) import AsyncIO
import POSIX

/// The face for frameworks with channels of their own.
func probeChannels(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  guard let core = loop as? BaseEventLoop else { return }
  let address = SocketAddress(ipLiteral: "127.0.0.1", port: 0)!
  let socket = try ChannelSocket.open(for: address, on: core)
  defer { socket.close() }
  socket.begin()
  try socket.bind(to: address)
  await probe.each("ChannelSocket.listen(backlog:)", Extreme.int32s, refusing: nil) { try socket.listen(backlog: $0) }
  await probe.each("ChannelEndpoint.setOption(_:_:_:)", Extreme.int32s, refusing: nil) {
    try socket.setOption($0, $0, [$0])
  }
  await probe.each("ChannelEndpoint.setOption(_:_:_:) none", [0], refusing: nil) { try socket.setOption($0, $0, []) }
  await probe.each("ChannelEndpoint.option(_:_:words:)", Extreme.ints, refusing: nil) {
    _ = try socket.option(1, 1, words: $0)
  }
  await probe.each("ChannelEndpoint.option(_:_:words:) level", Extreme.int32s, refusing: nil) {
    _ = try socket.option($0, $0, words: 1)
  }
  let sender = try ChannelSocket.open(for: address, on: core)
  defer { sender.close() }
  sender.begin()
  await probe.each("ChannelSocket.sendFile(_:from:count:)", Extreme.ints, refusing: nil) {
    _ = sender.sendFile(-1, from: Int64($0), count: $0)
  }
  let datagrams = try ChannelDatagramSocket.open(for: address, on: core)
  defer { datagrams.close() }
  datagrams.begin()
  try datagrams.bind(to: address)
  await probe.each("ChannelEndpoint.setOption(_:_:_:) datagrams", Extreme.int32s, refusing: nil) {
    try datagrams.setOption($0, $0, [$0])
  }
  await probe.each("ChannelEndpoint.option(_:_:words:) datagrams", Extreme.ints, refusing: nil) {
    _ = try datagrams.option(1, 1, words: $0)
  }
  try await probeMetadata(probe, datagrams, address)
  await probeTaking(probe, core)
  try await probeChannelPipes(probe, core)
}

private func probeMetadata(
  _ probe: NumberProbe, _ socket: ChannelDatagramSocket, _ address: SocketAddress
) async throws {
  await probe.each("ChannelDatagramSocket.set(_:_:)", Extreme.int32s, refusing: nil) {
    try socket.set(.segmentSize, $0)
  }
  try? socket.set(.segmentSize, 0)
  await probe.each("Metadata.init(congestion:segmentSize:)", Extreme.ints, refusing: nil) {
    _ = socket.send(UnsafeRawBufferPointer(start: nil, count: 0), to: address, with: .init(congestion: $0))
  }
  await probe.each("Metadata.init(congestion:segmentSize:) size", Extreme.ints, refusing: nil) {
    let metadata = ChannelDatagramSocket.Metadata(congestion: 0, segmentSize: $0)
    _ = socket.send(UnsafeRawBufferPointer(start: nil, count: 0), to: address, with: metadata)
  }
}

private func probeTaking(_ probe: NumberProbe, _ core: BaseEventLoop) async {
  await probe.each("ChannelSocket.take(_:for:on:)", [.min, -1, .max], refusing: nil) {
    _ = try ChannelSocket.take($0, for: .listening, on: core)
  }
  await probe.each("ChannelSocket.take(_:for:on:) connected", [.min, -1, .max], refusing: nil) {
    _ = try ChannelSocket.take($0, for: .connected, on: core)
  }
  await probe.each("ChannelDatagramSocket.take(_:on:)", [.min, -1, .max], refusing: nil) {
    _ = try ChannelDatagramSocket.take($0, on: core)
  }
  let address = SocketAddress(ipLiteral: "127.0.0.1", port: 0)!
  await probe.each("ChannelSocket.open(for:proto:on:)", Extreme.int32s, refusing: nil) {
    try ChannelSocket.open(for: address, proto: $0, on: core).close()
  }
  await probe.each("ChannelDatagramSocket.open(for:proto:on:)", Extreme.int32s, refusing: nil) {
    try ChannelDatagramSocket.open(for: address, proto: $0, on: core).close()
  }
}

private func probeChannelPipes(_ probe: NumberProbe, _ core: BaseEventLoop) async throws {
  await probe.each("ChannelPipe.open(input:output:on:)", [.min, -1, .max], refusing: nil) {
    _ = try ChannelPipe.open(input: $0, output: nil, on: core)
  }
  await probe.each("ChannelPipe.open(input:output:on:) both", [.min, -1, .max], refusing: nil) {
    _ = try ChannelPipe.open(input: $0, output: $0, on: core)
  }
  await probe.each("ChannelPipe.open(inputOutput:on:)", [.min, -1, .max], refusing: nil) {
    _ = try ChannelPipe.open(inputOutput: $0, on: core)
  }
  var ends: [Int32] = [-1, -1]
  guard POSIX.pipe(&ends) == 0 else { return }
  let pipe = try ChannelPipe.open(input: ends[0], output: ends[1], on: core)
  defer { pipe.close() }
  await probe.each("ChannelPipe.sendFile(_:from:count:)", Extreme.ints, refusing: nil) {
    _ = pipe.sendFile(-1, from: Int64($0), count: $0)
  }
}

@_spi(Channels) import AsyncIO

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
}

import AsyncIO
import POSIX

/// Sockets by hand, and their options.
func probeSockets(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  /// A socket of datagrams that has got one.
  func udp(_ body: (Socket) async throws -> Void) async throws {
    let socket = try Socket(family: .ipv4, type: .datagram)
    defer { socket.close() }
    try socket.bind(to: SocketAddress(ipLiteral: "127.0.0.1", port: 0)!)
    if let address = socket.localAddress { try await socket.send([1, 2, 3], to: address) }
    try await body(socket)
  }
  /// The same of a Unix pair, where a datagram may have any length.
  func unix(_ body: (Socket) async throws -> Void) async throws {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { return }
    defer { _ = close(ends[1]) }
    let socket = try Socket(fileDescriptor: ends[0])
    defer { socket.close() }
    _ = write(ends[1], "abc", 3)
    try await body(socket)
  }
  func negative(_ value: Int) -> Bool { value < 0 }
  await probe.each("Socket.receive(upTo:)", Extreme.ints, refusing: negative) { value in
    try await udp { _ = try await $0.receive(upTo: value) }
  }
  await probe.each("Socket.receive(upTo:)", Extreme.ints, refusing: negative) { value in
    try await unix { _ = try await $0.receive(upTo: value) }
  }
  await probe.each("Socket.receiveDatagram(upTo:)", Extreme.ints, refusing: negative) { value in
    try await udp { _ = try await $0.receiveDatagram(upTo: value) }
  }
  await probe.each("Socket.receiveDatagram(upTo:)", Extreme.ints, refusing: negative) { value in
    try await unix { _ = try await $0.receiveDatagram(upTo: value) }
  }
  await probe.each("Socket.receiveDatagram(into:count:)", Extreme.ints, refusing: { !(0...4).contains($0) }) { value in
    try await udp {
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 1)
      defer { memory.deallocate() }
      var span = memory.mutableBytes
      _ = try await $0.receiveDatagram(into: &span, count: value)
    }
  }
  await probe.each("Socket.listen(backlog:)", Extreme.int32s, refusing: { $0 < 0 }) { value in
    let socket = try Socket(family: .ipv4)
    defer { socket.close() }
    try socket.bind(to: SocketAddress(ipLiteral: "127.0.0.1", port: 0)!)
    try socket.listen(backlog: value)
  }
  await probe.each("Socket.connect(host:port:)", Extreme.ports) { value in
    let socket = try Socket(family: .ipv4)
    defer { socket.close() }
    try await socket.connect(host: "127.0.0.1", port: value)
  }
  await probe.each("Socket.init(family:type:proto:)", Extreme.int32s, refusing: nil) { value in
    try? Socket(family: .ipv4, proto: value).close()
    try? Socket(family: AddressFamily(rawValue: value)).close()
    try Socket(family: .ipv4, type: SocketType(rawValue: value)).close()
  }
  let dead: [Int32] = [.min, -1, .max]
  await probe.each("Socket.init(fileDescriptor:)", dead, refusing: nil) { _ = try Socket(fileDescriptor: $0) }
  await probe.each("Socket.setNonBlocking(_:)", dead) { try Socket.setNonBlocking($0) }

  let stream = try Socket(family: .ipv4)
  defer { stream.close() }
  func option<Value>(_ option: SocketOption<Value>, _ value: Value) throws {
    try stream.set(option, to: value)
    _ = try stream.get(option)
  }
  await probe.each("Socket.set(_:to:) linger", Extreme.durations, refusing: { $0 < .zero }) {
    try option(.linger, $0)
  }
  await probe.each("Socket.set(_:to:) receiveBufferSize", Extreme.ints, refusing: negative) {
    try option(.receiveBufferSize, $0)
  }
  await probe.each("Socket.set(_:to:) sendBufferSize", Extreme.ints, refusing: negative) {
    try option(.sendBufferSize, $0)
  }
  await probe.each("SocketOption.init(level:name:)", Extreme.int32s) {
    try option(SocketOption<Int32>(level: $0, name: $0), $0)
  }
  await probe.each("SocketOption.init(switchAtLevel:name:)", Extreme.int32s) {
    try option(SocketOption<Bool>(switchAtLevel: $0, name: $0), true)
  }
  let pair = try await StreamListener.bind(host: "127.0.0.1", port: 0)
  defer { pair.close() }
  try await withSmallFile { file in
    func sending(_ body: (Socket) async throws -> Void) async throws {
      let socket = try Socket(family: .ipv4)
      defer { socket.close() }
      try await socket.connect(host: "127.0.0.1", port: pair.port)
      try await pair.accept().close()
      try await body(socket)
    }
    await probe.each("Socket.sendFile(_:offset:count:fallback:)", Extreme.int64s, refusing: { $0 < 0 }) { value in
      try await sending { _ = try await $0.sendFile(file, offset: value) }
    }
    await probe.each("Socket.sendFile(_:offset:count:fallback:)", Extreme.int64s, refusing: { $0 < 1 }) { value in
      try await sending { _ = try await $0.sendFile(file, count: value) }
    }
  }
}

import AsyncIO

/// Addresses, ports, and what is looked up.
func probeNames(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  await probe.each("SocketAddress.init(ipLiteral:port:)", Extreme.ports) { value in
    for host in ["127.0.0.1", "::1", "fe80::1%1", "", "%", "\0"] {
      let address = SocketAddress(ipLiteral: host, port: value)
      _ = (address?.description, address?.host, address?.port)
    }
  }
  let key = "EventLoop.getaddrinfo(host:port:family:type:proto:flags:)"
  await probe.each(key, Extreme.ports) { _ = try await loop.getaddrinfo(host: "127.0.0.1", port: $0) }
  await probe.each(key, Extreme.int32s) { value in
    _ = try? await loop.getaddrinfo(host: "127.0.0.1", port: 0, proto: value)
    _ = try? await loop.getaddrinfo(host: "127.0.0.1", port: 0, family: AddressFamily(rawValue: value))
    _ = try? await loop.getaddrinfo(host: "127.0.0.1", port: 0, type: SocketType(rawValue: value))
    _ = try await loop.getaddrinfo(host: "127.0.0.1", port: 0, flags: AddressInfoFlags(rawValue: value))
  }
  await probe.each(key, ["-1", "+1", " 1", "65536", "99999999999999999999", "1e3", ""]) {
    _ = try await loop.getaddrinfo(host: "127.0.0.1", port: $0)
  }
  await probe.each("EventLoop.getnameinfo(_:flags:)", Extreme.int32s) {
    _ = try await loop.getnameinfo(
      SocketAddress(ipLiteral: "127.0.0.1", port: 0)!, flags: NameInfoFlags(rawValue: $0))
  }
  await probe.each("AddressInfo.init(_:type:proto:canonicalName:)", Extreme.int32s) {
    _ = AddressInfo(SocketAddress(ipLiteral: "127.0.0.1", port: 0)!, type: SocketType(rawValue: $0), proto: $0)
  }
  await probe.each("AddressInfo.proto", Extreme.int32s) {
    var info = AddressInfo(SocketAddress(ipLiteral: "127.0.0.1", port: 0)!)
    info.proto = $0
    _ = info.hashValue
  }
  await probe.each("AddressFamily.init(rawValue:)", Extreme.int32s) { _ = AddressFamily(rawValue: $0).description }
  probe.also(
    "SocketType.init(rawValue:)", "AddressInfoFlags.init(rawValue:)", "NameInfoFlags.init(rawValue:)")
}

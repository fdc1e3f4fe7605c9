internal import CAsyncIO

// Addresses in the system's form, for frameworks that have addresses of their own: no text in between, and an IPv6
// address keeps its interface.

@_spi(Channels)
extension SocketAddress {
  /// Copy an IPv4 or IPv6 address, as the system has it (`sockaddr_in`, `sockaddr_in6`). Returns nil for another family
  /// and for too few bytes. Any thread.
  public init?(systemForm bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= MemoryLayout<sockaddr>.size else { return nil }
    let size: Int
    switch Int32(bytes.loadUnaligned(as: sockaddr.self).sa_family) {
    case AF_INET: size = MemoryLayout<sockaddr_in>.size
    case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
    default: return nil
    }
    guard bytes.count >= size else { return nil }
    self.init(copying: UnsafeRawBufferPointer(rebasing: bytes[..<size]))
  }

  /// Call the body with the address as the system has it, valid for the length of the call. Any thread.
  public func withSystemForm<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
    withSockaddr { body(UnsafeRawBufferPointer(start: $0, count: Int($1))) }
  }
}

internal import CAsyncIO

/// The address of a socket: IPv4, IPv6 or Unix.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// As many bytes as the longest of the IP addresses has.
  private typealias Short = (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32)

  /// The system's form for addresses of all kinds, `sockaddr_storage`, has 128 bytes, for the sake of a few long names.
  /// Each transport holds two addresses, and each datagram one; so short addresses are stored here, in 32 bytes.
  private enum Storage: Hashable, Sendable {
    case short(Short, count: UInt8)
    case long([UInt8])

    /// Return whether every byte of the addresses is the same.
    static func == (a: Storage, b: Storage) -> Bool {
      a.withBytes { a in
        b.withBytes { b in a.count == b.count && memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
      }
    }

    func hash(into hasher: inout Hasher) {
      withBytes { hasher.combine(bytes: $0) }
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
      switch self {
      case .short(let short, let count):
        withUnsafeBytes(of: short) { body(UnsafeRawBufferPointer(rebasing: $0[..<Int(count)])) }
      case .long(let bytes): bytes.withUnsafeBytes(body)
      }
    }
  }

  private let storage: Storage

  /// Create an address with only a family: the system has no address to report, for instance for an unbound Unix
  /// socket.
  init(unnamed family: AddressFamily) {
    var address = sockaddr()
    address.sa_family = numericCast(family.rawValue)
    self = withUnsafeBytes(of: address) {
      SocketAddress(copying: UnsafeRawBufferPointer(rebasing: $0[..<MemoryLayout<sa_family_t>.size]))
    }
  }

  /// Copy what the system filled in.
  package init(copying bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= MemoryLayout<Short>.size else {
      storage = .long(Array(bytes.prefix(MemoryLayout<sockaddr_storage>.size)))
      return
    }
    var short: Short = (0, 0, 0, 0, 0, 0, 0)
    withUnsafeMutableBytes(of: &short) { $0.copyMemory(from: bytes) }
    storage = .short(short, count: UInt8(bytes.count))
  }

  /// Take what the system writes, and its length; nil if it has no answer.
  private init?(_ ask: (UnsafeMutablePointer<sockaddr_storage>) -> Int32) {
    var storage = sockaddr_storage()
    let length = ask(&storage)
    guard length > 0 else { return nil }
    self = withUnsafeBytes(of: storage) {
      SocketAddress(copying: UnsafeRawBufferPointer(rebasing: $0[..<Int(length)]))
    }
  }

  static func local(of fd: Int32) -> SocketAddress? { SocketAddress { casyncio_local_name(fd, $0) } }
  static func peer(of fd: Int32) -> SocketAddress? { SocketAddress { casyncio_peer_name(fd, $0) } }

  /// Lend the address in the form that system calls take.
  func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withBytes { bytes in
      // Right because a call looks at no more than the length says, and the bytes are aligned for every family.
      body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
  }

  /// The number of bytes in the form that system calls take.
  var length: socklen_t { withBytes { socklen_t($0.count) } }

  var family: Int32 { Int32(load(sockaddr.self).sa_family) }

  /// The family of the address.
  public var addressFamily: AddressFamily { AddressFamily(rawValue: family) }
  /// True for IPv4.
  public var isIPv4: Bool { family == AF_INET }
  /// True for IPv6.
  public var isIPv6: Bool { family == AF_INET6 }
  /// True for a path or an abstract name.
  public var isUnix: Bool { family == AF_UNIX }

  var isIP: Bool { isIPv4 || isIPv6 }

  /// The interface that an IPv6 address is for; nil if it names none.
  var scope: UInt32? {
    guard isIPv6 else { return nil }
    let scope = load(sockaddr_in6.self).sin6_scope_id
    return scope == 0 ? nil : UInt32(scope)
  }

  /// The port of an IP address; nil for others.
  public var port: UInt16? {
    switch family {
    case AF_INET: UInt16(bigEndian: load(sockaddr_in.self).sin_port)
    case AF_INET6: UInt16(bigEndian: load(sockaddr_in6.self).sin6_port)
    default: nil
    }
  }

  /// Lend the bytes in the form that system calls take.
  package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { storage.withBytes(body) }

  /// Load the beginning of the address as one of the system's forms for IP addresses, which are plain bytes; the rest
  /// is zeros if the address is shorter.
  func load<Form>(_: Form.Type) -> Form {
    switch storage {
    case .short(let short, _): withUnsafeBytes(of: short) { $0.load(as: Form.self) }
    case .long(let bytes): bytes.withUnsafeBytes { $0.load(as: Form.self) }
    }
  }
}

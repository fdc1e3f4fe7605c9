internal import CAsyncIO

// IP addresses as text, read and written. The whole package uses this one reader, so that what one call takes for an
// address no other call takes for a name, or for another address. The traps:
//
// - A Swift string may have a NUL inside, where the C library would stop reading.
// - `split` leaves out empty parts, and Swift's numbers may have a sign: "%::1" and "fe80::1%+4" are not addresses.
// - An interface may have digits for its name, so a zone is looked up as a name first, as the C library does it.
// - The C library's resolver knows more forms than its reader of addresses: "127.1", "0177.0.0.1" and "2130706433" are
//   127.0.0.1 there. Such text is not an address here, and what looks like one is not a name either.

extension SocketAddress {
  /// Create the address of a literal IP address and a port; nil if `host` is not a literal. IPv4 is four decimal
  /// numbers. An IPv6 address may have a zone, the name or the number of an interface of this machine: "fe80::1%eth0".
  public init?(ipLiteral host: String, port: UInt16) {
    guard !host.hasNUL else { return nil }
    var v4 = sockaddr_in()
    if casyncio_parse_address(AF_INET, host, &v4.sin_addr) != 0 {
      v4.sin_family = numericCast(AF_INET)
      v4.sin_port = port.bigEndian
      self = withUnsafeBytes(of: v4) { SocketAddress(copying: $0) }
      return
    }
    var v6 = sockaddr_in6()
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard casyncio_parse_address(AF_INET6, String(parts[0]), &v6.sin6_addr) != 0 else { return nil }
    v6.sin6_family = numericCast(AF_INET6)
    v6.sin6_port = port.bigEndian
    if parts.count == 2 {
      guard let zone = Self.zone(parts[1]) else { return nil }
      v6.sin6_scope_id = numericCast(zone)
    }
    self = withUnsafeBytes(of: v6) { SocketAddress(copying: $0) }
  }

  /// Return the number of an interface; nil if there is none of this name.
  private static func zone(_ text: Substring) -> UInt32? {
    let named = casyncio_interface_number(String(text))
    if named != 0 { return named }
    guard text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
    return UInt32(text).flatMap { $0 == 0 ? nil : $0 }
  }

  /// Return whether text can only be an address: it has a character that no name has, or its last part is a number. If
  /// it is not a literal despite that, it names no host, whatever a resolver makes of it.
  static func isNoName(_ host: String) -> Bool {
    let text = host.utf8Span.span
    for index in text.indices {
      switch text[index] {
      case 0...UInt8(ascii: " "), 0x7F, UInt8(ascii: ":"), UInt8(ascii: "%"): return true
      default: break
      }
    }
    let dot = UInt8(ascii: ".")
    var end = text.count
    while end > 0, text[end - 1] == dot { end -= 1 }
    guard end > 0 else { return false }
    var start = end
    while start > 0, text[start - 1] != dot { start -= 1 }
    return isNumber(text.extracting(start..<end))
  }

  /// Return whether text is a number in the way in which the C library's resolver reads the parts of an address:
  /// decimal, octal or hexadecimal, with a sign.
  private static func isNumber(_ text: Span<UInt8>) -> Bool {
    var start = text[0] == UInt8(ascii: "+") || text[0] == UInt8(ascii: "-") ? 1 : 0
    let hasPrefix =
      text.count > start + 1 && text[start] == UInt8(ascii: "0") && text[start + 1] | 0x20 == UInt8(ascii: "x")
    if hasPrefix { start += 2 }
    for index in start..<text.count {
      switch text[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): break
      case UInt8(ascii: "a")...UInt8(ascii: "f") where hasPrefix: break
      case UInt8(ascii: "A")...UInt8(ascii: "F") where hasPrefix: break
      default: return false
      }
    }
    return true
  }

  /// The host of an IP address as a literal, with its zone if it has one: the text that `getnameinfo` returns, which
  /// reads back as the same address. Nil for others.
  public var host: String? {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let capacity = socklen_t(text.count)
    switch family {
    case AF_INET:
      var address = load(sockaddr_in.self).sin_addr
      guard casyncio_print_address(AF_INET, &address, &text, capacity) != 0 else { return nil }
    case AF_INET6:
      var address = load(sockaddr_in6.self).sin6_addr
      guard casyncio_print_address(AF_INET6, &address, &text, capacity) != 0 else { return nil }
    default: return nil
    }
    let literal = Self.string(text)
    return scope.map { "\(literal)%\(zoneName(of: $0))" } ?? literal
  }

  /// Return the name of the interface for an address of its link, else the number, like the C library.
  private func zoneName(of scope: UInt32) -> String {
    let (first, second) = withUnsafeBytes(of: load(sockaddr_in6.self).sin6_addr) { ($0[0], $0[1]) }
    let isOfLink = first == 0xFE && second & 0xC0 == 0x80 || first == 0xFF && second & 0x0F == 0x02
    var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
    return isOfLink && casyncio_interface_name(scope, &name) != 0 ? Self.string(name) : "\(scope)"
  }

  private static func string(_ text: [CChar]) -> String {
    String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Host and port: "127.0.0.1:7000", "[::1]:7000", "[fe80::1%eth0]:7000"; "unix:/run/app.sock", "unix:@name" for an
  /// abstract name.
  public var description: String {
    if isUnix { return unixDescription }
    guard let host, let port else { return "\(addressFamily)" }
    return isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}

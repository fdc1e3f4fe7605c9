internal import AsyncIO

// Version 2: 12 bytes that no other protocol begins with, version and command, family and transport, the length of
// what follows (big-endian), addresses, and extensions, which are skipped here.

extension ProxyHeader {
  static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
  private static let fixedCount = 16
  /// Room for the name of a Unix socket.
  private static let unixRoom = 108

  var binary: [UInt8] {
    switch content {
    case .tcp(let source, let destination):
      let ports = [source, destination].flatMap { Self.bigEndian($0.port ?? 0) }
      return Self.assemble(
        command: 0x21, family: source.isIPv4 ? 0x11 : 0x21, source.ipBytes + destination.ipBytes + ports)
    case .unix(let source, let destination):
      return Self.assemble(command: 0x21, family: 0x31, Self.inRoom(source) + Self.inRoom(destination))
    case .unknown: return Self.assemble(command: 0x21, family: 0x00, [])
    case .local: return Self.assemble(command: 0x20, family: 0x00, [])
    }
  }

  private static func assemble(command: UInt8, family: UInt8, _ rest: [UInt8]) -> [UInt8] {
    signature + [command, family] + bigEndian(UInt16(rest.count)) + rest
  }

  private static func bigEndian(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }

  private static func inRoom(_ name: [UInt8]) -> [UInt8] {
    Array(name.prefix(unixRoom)) + [UInt8](repeating: 0, count: max(0, unixRoom - name.count))
  }

  static func parseBinary(_ bytes: [UInt8]) throws(ProxyHeaderError) -> (header: ProxyHeader, count: Int)? {
    guard bytes.prefix(signature.count).elementsEqual(signature.prefix(bytes.count)) else {
      throw ProxyHeaderError("the stream does not begin with one.")
    }
    guard bytes.count >= fixedCount else { return nil }
    guard bytes[12] >> 4 == 2 else { throw ProxyHeaderError("version \(bytes[12] >> 4) is not known.") }
    let count = fixedCount + (Int(bytes[14]) << 8 | Int(bytes[15]))
    let command = bytes[12] & 15
    guard command < 2 else { throw ProxyHeaderError("command \(command) is not known.") }
    guard bytes.count >= count else { return nil }
    if command == 0 { return (ProxyHeader(.local), count) }
    return (ProxyHeader(try content(bytes[13], bytes[fixedCount..<count])), count)
  }

  /// The content for unknown families and transports is not used, as the protocol asks.
  private static func content(_ family: UInt8, _ rest: ArraySlice<UInt8>) throws(ProxyHeaderError) -> Content {
    let rest = Array(rest)
    switch family {
    case 0x11, 0x21:
      let size = family == 0x11 ? 4 : 16
      guard rest.count >= 2 * size + 4 else { throw ProxyHeaderError("\(rest.count) bytes are too few for addresses.") }
      func port(at index: Int) -> UInt16 { UInt16(rest[index]) << 8 | UInt16(rest[index + 1]) }
      let ports = (port(at: 2 * size), port(at: 2 * size + 2))
      guard let source = SocketAddress(ipBytes: rest[..<size], port: ports.0),
        let destination = SocketAddress(ipBytes: rest[size..<2 * size], port: ports.1)
      else { throw ProxyHeaderError("the addresses cannot be read.") }
      return .tcp(source: source, destination: destination)
    case 0x31:
      guard rest.count >= 2 * unixRoom else {
        throw ProxyHeaderError("\(rest.count) bytes are too few for two names.")
      }
      return .unix(source: name(rest[..<unixRoom]), destination: name(rest[unixRoom..<2 * unixRoom]))
    default: return .unknown
    }
  }

  /// A path ends with the first NUL; an abstract name begins with one, and its length is not given.
  private static func name(_ room: ArraySlice<UInt8>) -> [UInt8] {
    guard room.first == 0 else { return Array(room.prefix { $0 != 0 }) }
    let end = room.lastIndex { $0 != 0 }.map { $0 + 1 } ?? room.startIndex
    return Array(room[room.startIndex..<end])
  }
}

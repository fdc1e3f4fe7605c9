internal import CAsyncIO

/// The names and addresses of hosts in the extension `subjectAltName` of a certificate. The bytes come from the other
/// side, so every length is compared with what is there.
enum AlternativeNames {
  /// Return the names and addresses; what cannot be read is left out.
  static func hostnames(in der: [UInt8]) -> [String] {
    guard let sequence = element(in: der[...]), sequence.tag == 0x30 else { return [] }
    var names: [String] = []
    var rest = sequence.content
    while let next = element(in: rest) {
      switch next.tag {
      case 0x82: names.append(String(decoding: next.content, as: UTF8.self))
      case 0x87: if let address = address(Array(next.content)) { names.append(address) }
      default: break
      }
      rest = rest[next.end...]
    }
    return names
  }

  private static func element(in bytes: ArraySlice<UInt8>) -> (tag: UInt8, content: ArraySlice<UInt8>, end: Int)? {
    guard bytes.count >= 2 else { return nil }
    let tag = bytes[bytes.startIndex]
    var index = bytes.startIndex + 1
    var length = Int(bytes[index])
    index += 1
    if length >= 0x80 {
      let count = length & 0x7F
      guard (1...3).contains(count), bytes.endIndex - index >= count else { return nil }
      length = bytes[index..<index + count].reduce(0) { $0 << 8 | Int($1) }
      index += count
    }
    guard bytes.endIndex - index >= length else { return nil }
    return (tag, bytes[index..<index + length], index + length)
  }

  private static func address(_ bytes: [UInt8]) -> String? {
    let family: Int32
    switch bytes.count {
    case 4: family = AF_INET
    case 16: family = AF_INET6
    default: return nil
    }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      guard casyncio_print_address(family, bytes, text.baseAddress!, socklen_t(text.count)) != 0 else { return nil }
      return String(cString: text.baseAddress!)
    }
  }
}

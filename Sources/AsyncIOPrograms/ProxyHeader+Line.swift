internal import AsyncIO

// Version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", at most 107 bytes.

extension ProxyHeader {
  private static let longestLine = 107

  var line: String {
    guard case .tcp(let source, let destination) = content,
      let from = source.host, let to = destination.host, let port = source.port, let own = destination.port
    else { return "PROXY UNKNOWN\r\n" }
    return "PROXY \(source.isIPv4 ? "TCP4" : "TCP6") \(from) \(to) \(port) \(own)\r\n"
  }

  static func parseLine(_ bytes: [UInt8]) throws(ProxyHeaderError) -> (header: ProxyHeader, count: Int)? {
    let start = Array("PROXY ".utf8)
    guard bytes.prefix(start.count).elementsEqual(start.prefix(bytes.count)) else {
      throw ProxyHeaderError("the stream does not begin with one.")
    }
    let window = bytes.prefix(longestLine)
    guard let end = window.firstIndex(of: 10) else {
      if bytes.count < longestLine { return nil }
      throw ProxyHeaderError("no line end within \(longestLine) bytes.")
    }
    guard end > 0, bytes[end - 1] == 13 else { throw ProxyHeaderError("the line ends without a carriage return.") }
    let words = bytes[start.count..<end - 1].split(separator: 32, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    return (ProxyHeader(try content(of: words)), end + 1)
  }

  private static func content(of words: [String]) throws(ProxyHeaderError) -> Content {
    // What follows this word has no meaning.
    if words.first == "UNKNOWN" { return .unknown }
    guard words.count == 5, words[0] == "TCP4" || words[0] == "TCP6" else {
      throw ProxyHeaderError("\"\(words.joined(separator: " "))\" is not TCP4 or TCP6, two addresses and two ports.")
    }
    let isIPv4 = words[0] == "TCP4"
    func address(_ host: String, _ port: String) throws(ProxyHeaderError) -> SocketAddress {
      guard let number = UInt16(port), "\(number)" == port else {
        throw ProxyHeaderError("\"\(port)\" is not a port. Ports are 0 to 65535, without a sign or leading zeros.")
      }
      guard !host.contains("%"), let address = SocketAddress(ipLiteral: host, port: number), address.isIPv4 == isIPv4
      else { throw ProxyHeaderError("\"\(host)\" is not an address of \(words[0]).") }
      return address
    }
    return .tcp(source: try address(words[1], words[3]), destination: try address(words[2], words[4]))
  }
}

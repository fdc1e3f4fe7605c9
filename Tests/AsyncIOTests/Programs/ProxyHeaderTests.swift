import AsyncIO
import AsyncIOPrograms
import Testing

/// The header of the PROXY protocol: exact bytes, both ways.
@Suite struct ProxyHeaderTests {
  private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

  private func ip(_ host: String, _ port: UInt16) throws -> SocketAddress {
    try #require(SocketAddress(ipLiteral: host, port: port))
  }

  private func line(_ header: ProxyHeader) -> String { String(decoding: header.bytes(.v1), as: UTF8.self) }

  @Test("IPv4, both versions")
  func ipv4() throws {
    let header = ProxyHeader(source: try ip("192.0.2.1", 56324), destination: try ip("198.51.100.7", 443))
    #expect(line(header) == "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n")
    #expect(
      header.bytes(.v2) == Self.signature + [0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 7, 0xDC, 0x04, 0x01, 0xBB])
  }

  @Test("IPv6, both versions, without its zone")
  func ipv6() throws {
    let header = ProxyHeader(source: try ip("fe80::1%1", 1), destination: try ip("2001:db8::2", 65535))
    #expect(line(header) == "PROXY TCP6 fe80::1 2001:db8::2 1 65535\r\n")
    let source: [UInt8] = [0xFE, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
    let destination: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [2]
    #expect(header.bytes(.v2) == Self.signature + [0x21, 0x21, 0, 36] + source + destination + [0, 1, 255, 255])
  }

  @Test("IPv4 in an IPv6 socket is IPv4; beside a real IPv6 address it is IPv6")
  func mapped() throws {
    let mapped = try ip("::ffff:192.0.2.1", 5)
    let both = ProxyHeader(source: mapped, destination: try ip("::ffff:198.51.100.7", 6))
    #expect(line(both) == "PROXY TCP4 192.0.2.1 198.51.100.7 5 6\r\n")
    let mixed = ProxyHeader(source: mapped, destination: try ip("2001:db8::2", 6))
    #expect(line(mixed) == "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 5 6\r\n")
    #expect(mixed.bytes(.v2)[13] == 0x21)
  }

  @Test("Unix sockets have names in version 2, and are unknown in version 1")
  func unix() throws {
    let path = try SocketAddress(unixPath: "/run/app.sock")
    let abstract = try SocketAddress(unixPath: "\0name")
    let header = ProxyHeader(source: abstract, destination: path)
    #expect(line(header) == "PROXY UNKNOWN\r\n")
    let name = [0] + Array("name".utf8) + [UInt8](repeating: 0, count: 103)
    let file = Array("/run/app.sock".utf8) + [UInt8](repeating: 0, count: 95)
    #expect(header.bytes(.v2) == Self.signature + [0x21, 0x31, 0, 216] + name + file)
  }

  @Test("A name of full length has no end mark")
  func longName() throws {
    let longest = [UInt8](repeating: 97, count: 108)
    let bytes = ProxyHeader(.unix(source: longest, destination: [])).bytes(.v2)
    #expect(bytes.count == 16 + 216)
    #expect(try ProxyHeader.parse(bytes)?.header == ProxyHeader(.unix(source: longest, destination: [])))
  }

  @Test("What is not known, and what the proxy says for itself")
  func unknown() throws {
    #expect(ProxyHeader(source: nil, destination: try ip("::1", 1)) == ProxyHeader(.unknown))
    #expect(ProxyHeader(source: try ip("127.0.0.1", 1), destination: try ip("::1", 1)) == ProxyHeader(.unknown))
    #expect(line(ProxyHeader(.unknown)) == "PROXY UNKNOWN\r\n")
    #expect(line(ProxyHeader(.local)) == "PROXY UNKNOWN\r\n")
    #expect(ProxyHeader(.unknown).bytes(.v2) == Self.signature + [0x21, 0, 0, 0])
    #expect(ProxyHeader(.local).bytes(.v2) == Self.signature + [0x20, 0, 0, 0])
  }

  @Test("What was written is read, with bytes behind it, and never from fewer bytes")
  func roundTrip() throws {
    let contents: [ProxyHeader.Content] = [
      .tcp(source: try ip("192.0.2.1", 0), destination: try ip("255.255.255.255", 65535)),
      .tcp(source: try ip("2001:db8::1", 1), destination: try ip("::", 2)),
      .unix(source: Array("/a".utf8), destination: [0, 120, 0, 121]), .unix(source: [], destination: []), .unknown,
      .local,
    ]
    for content in contents {
      for version in ProxyHeader.Version.allCases {
        let bytes = ProxyHeader(content).bytes(version)
        let read = try #require(try ProxyHeader.parse(bytes + Array("GET /".utf8)))
        #expect(read.count == bytes.count)
        switch (version, content) {
        case (.v1, .unix), (.v1, .local): #expect(read.header.content == .unknown)
        default: #expect(read.header.content == content)
        }
        for count in 0..<bytes.count { #expect(try ProxyHeader.parse(Array(bytes[..<count])) == nil, "\(count)") }
      }
    }
  }

  @Test("Extensions, families that nobody knows and datagrams are skipped")
  func skipped() throws {
    let addresses: [UInt8] = [127, 0, 0, 1, 127, 0, 0, 2, 0, 1, 0, 2]
    let extended = Self.signature + [0x21, 0x11, 0, 17] + addresses + [3, 0, 2, 9, 9]
    let read = try #require(try ProxyHeader.parse(extended))
    #expect(read.count == extended.count)
    #expect(read.header == ProxyHeader(source: try ip("127.0.0.1", 1), destination: try ip("127.0.0.2", 2)))
    for family: UInt8 in [0x00, 0x12, 0x22, 0x32, 0x41, 0xFF] {
      let bytes = Self.signature + [0x21, family, 0, 12] + addresses
      #expect(try ProxyHeader.parse(bytes)?.header == ProxyHeader(.unknown))
    }
    let local = Self.signature + [0x20, 0x11, 0, 12] + addresses
    #expect(try ProxyHeader.parse(local)?.header == ProxyHeader(.local))
    #expect(try ProxyHeader.parse(Array("PROXY UNKNOWN ffff:: x 1 2\r\nrest".utf8))?.count == 28)
  }

  @Test(
    "Text that is not a header is refused",
    arguments: [
      "GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXY \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
      "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "PROXY TCP6 fe80::1%1 ::1 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
      "PROXY UNKNOWN \n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \n",
      "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "\r\n\r\n\0\r\nQUIX\n",
      "PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n",
    ])
  func refusedText(_ text: String) {
    #expect(throws: ProxyHeaderError.self) { try ProxyHeader.parse(Array(text.utf8)) }
  }

  @Test("Bytes that are not a header are refused")
  func refusedBytes() {
    for (command, family, count): (UInt8, UInt8, UInt8) in [
      (0x11, 0x11, 12), (0x31, 0x11, 12), (0x22, 0x11, 12), (0x2F, 0, 0), (0x21, 0x11, 11), (0x21, 0x21, 35),
      (0x21, 0x31, 215),
    ] {
      let bytes = Self.signature + [command, family, 0, count] + [UInt8](repeating: 1, count: Int(count))
      #expect(throws: ProxyHeaderError.self) { try ProxyHeader.parse(bytes) }
    }
  }
}

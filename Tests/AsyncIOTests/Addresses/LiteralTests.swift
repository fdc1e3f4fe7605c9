import CAsyncIO
import Testing

@testable import AsyncIO

/// Text that is an address, text that is none, and addresses as text.
@Suite(.timeLimit(.minutes(5)))
struct LiteralTests {
  static let literals = [
    ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "::"), ("FE80::A", "fe80::a"),
    ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ("fe80::1%lo", "fe80::1%lo"), ("fe80::1%1", "fe80::1%lo"), ("ff02::1%lo", "ff02::1%lo"),
    ("2001:db8::1%1", "2001:db8::1%1"),
    ("2001:db8::1%lo", "2001:db8::1%1"), ("fe80::1%4294967295", "fe80::1%4294967295"), ("fe80::1%007", "fe80::1%7"),
  ]

  static let others = [
    "127.0.0.1\0", "127.0.0.1\0.example.org", "\0", "\u{0}127.0.0.1", "::1\0", "fe80::1%lo\0", "fe80::1%lo\0z",
    "fe80::1%1\0",
    "fe80::1%", "%::1", "%", "::1%", "%lo", "fe80::1%%lo", "fe80::1%lo%lo", "%%",
    "fe80::1%+4", "fe80::1%-4", "fe80::1% 4", "fe80::1%4 ", "fe80::1%0x4", "fe80::1%4294967296", "fe80::1%0",
    "fe80::1%\u{664}",
    "fe80::1%no-such-interface-", "fe80::1%99999999999999999999", "127.0.0.1%lo", "127.0.0.1%1",
    "", " ", " 127.0.0.1", "127.0.0.1 ", "127.0.0.1\n", "+127.0.0.1", "127.0.0.+1", "-1.0.0.1", "127..0.1",
    ".127.0.0.1", "127.0.0.1.",
    "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.01", "256.0.0.1", "127.0.0.1.1", "1.2.3",
    "[::1]", "::1]", ":", ":::", "1:2:3", "::g", "1::2::3", "127.0.0.1:80", "[::1]:80", "::1/128", "example.org",
    "١٢٧.0.0.1",
  ]

  @Test("A literal and its text", arguments: literals)
  func good(example: (text: String, host: String)) throws {
    let address = try #require(SocketAddress(ipLiteral: example.text, port: 80))
    #expect(address.host == example.host)
    #expect(address.description == (address.isIPv6 ? "[\(example.host)]:80" : "\(example.host):80"))
    #expect(SocketAddress(ipLiteral: example.host, port: 80) == address, "what is printed can be used again")
  }

  @Test("What is not a literal", arguments: others)
  func bad(text: String) {
    #expect(SocketAddress(ipLiteral: text, port: 80) == nil)
  }

  /// What is not an address for one call is none for the others, and not a name either if it looks like an address. The
  /// service that answers names would say something else.
  @Test("One reader for every call", arguments: LoopKind.allCases)
  func everyCall(kind: LoopKind) async throws {
    try await kind.run { loop in
      let asked = Recorder<String>()
      loop.nameService = NameService(addresses: { query in
        asked.record(query.host ?? "")
        return [AddressInfo(SocketAddress(ipLiteral: "127.0.0.9", port: 9)!)]
      })
      for text in Self.others where !["", "example.org"].contains(text) {
        let calls: [() async throws -> Void] = [
          { _ = try await loop.getaddrinfo(host: text, port: 80) },
          { _ = try await loop.getaddrinfo(host: text, port: "http", flags: .canonicalName) },
          { _ = try await StreamConnection.connect(host: text, port: 80) },
          { _ = try await StreamConnection.connect(host: "127.0.0.1", port: 80, localHost: text) },
          { _ = try await StreamListener.bind(host: text, port: 0) },
          { _ = try await DatagramEndpoint.bind(host: text, port: 0) },
          { _ = try await DatagramEndpoint.connect(host: text, port: 80) },
          { _ = try await loop.createServer(host: text, port: 0) { ScriptedProtocol() } },
          { _ = try await loop.createConnection(host: text, port: 80) { ScriptedProtocol() } },
        ]
        for call in calls {
          let error = try await failure(ResolutionError.self, call)
          #expect(error.host == text)
        }
      }
      #expect(asked.all == [], "no resolver was asked")
      #expect(try await loop.getaddrinfo(host: "example.org", port: 80)[0].address.host == "127.0.0.9")
    }
  }

  @Test("The zone is the one that getnameinfo tells, at once and by the system", arguments: LoopKind.allCases)
  func zones(kind: LoopKind) async throws {
    try await kind.run { loop in
      for (text, host) in Self.literals {
        let address = try #require(SocketAddress(ipLiteral: text, port: 80))
        let flags: NameInfoFlags = [.numericHost, .numericService]
        #expect(try await loop.getnameinfo(address, flags: flags) == NameInfo(host: host, service: "80"))
        #expect(try SystemNames.names(address, flags) == NameInfo(host: host, service: "80"))
        // With a flag that needs the system it reads the same.
        let found = try await loop.getaddrinfo(
          host: text, port: 80, type: .stream, flags: [.canonicalName, .numericHost])
        #expect(found.map(\.address) == [address], "\(text)")
      }
    }
  }

  @Test("Errors carry the zone", arguments: LoopKind.allCases)
  func errors(kind: LoopKind) async throws {
    try await kind.run { _ in
      let error = try await failure(IOError.self) { _ = try await StreamListener.bind(host: "fe80::1234%lo", port: 7) }
      #expect(error.description.contains("[fe80::1234%lo]:7"), "\(error)")
    }
  }

  @Test(
    "A service is a name or a port", arguments: LoopKind.allCases,
    ["-1", "-0", "+80", " 80", "80 ", "65536", "99999", "18446744073709551696", "\t80", "80\0"])
  func services(kind: LoopKind, service: String) async throws {
    try await kind.run { loop in
      let error = try await failure(ResolutionError.self) {
        _ = try await loop.getaddrinfo(host: "127.0.0.1", port: service)
      }
      #expect(error.host == service)
      #expect(try await loop.getaddrinfo(host: "127.0.0.1", port: "65535")[0].address.port == 65535)
      #expect(try await loop.getaddrinfo(host: "127.0.0.1", port: "080")[0].address.port == 80)
    }
  }
}

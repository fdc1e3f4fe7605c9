import Testing

@testable import AsyncIO
@testable import AsyncIOPrograms

/// The reader of hellos, which gets bytes from anybody.
@Suite struct ClientHelloTests {
  typealias Verdict = ClientHelloReader.Verdict

  // MARK: Hellos that are made here

  private static func sized(_ size: Int, _ content: [UInt8]) -> [UInt8] {
    (0..<size).reversed().map { UInt8(truncatingIfNeeded: content.count >> ($0 * 8)) } + content
  }

  private static func entry(_ name: String, type: UInt8 = 0) -> [UInt8] { [type] + sized(2, Array(name.utf8)) }

  private static func named(_ entries: [UInt8]...) -> [UInt8] { [0, 0] + sized(2, sized(2, entries.flatMap { $0 })) }

  private static func body(session: Int = 32, ciphers: Int = 4, _ extensions: [[UInt8]]?) -> [UInt8] {
    [3, 3] + [UInt8](repeating: 7, count: 32) + sized(1, [UInt8](repeating: 1, count: session))
      + sized(2, [UInt8](repeating: 2, count: ciphers)) + [1, 0]
      + (extensions.map { sized(2, $0.flatMap { $0 }) } ?? [])
  }

  /// The hello in records of at most `records` bytes.
  private static func hello(_ body: [UInt8], records: Int = 16_384) -> [UInt8] {
    let message = [1] + sized(3, body)
    return stride(from: 0, to: message.count, by: records).flatMap { start in
      [22, 3, 1] + sized(2, Array(message[start..<min(start + records, message.count)]))
    }
  }

  private static func verdict(_ bytes: [UInt8], pieces: Int = .max) -> Verdict {
    var reader = ClientHelloReader()
    var start = 0
    while start < bytes.count {
      let end = pieces > bytes.count - start ? bytes.count : start + pieces
      _ = reader.take(Array(bytes[start..<end]))
      start = end
    }
    return reader.verdict
  }

  private static let other: [UInt8] = [0, 43, 0, 3, 2, 3, 4]

  @Test("The name is found, however records and reads cut the hello", arguments: [1, 2, 7, 100, 16_384])
  func pieces(size: Int) {
    let body = Self.body([Self.other, Self.named(Self.entry("WWW.Example.org")), Self.other])
    for records in [1, 3, 50, 16_384] {
      let bytes = Self.hello(body, records: records)
      #expect(Self.verdict(bytes, pieces: size) == .hello(name: "www.example.org"))
      // What follows makes no difference.
      #expect(Self.verdict(bytes + [1, 2, 3], pieces: size) == .hello(name: "www.example.org"))
    }
  }

  @Test("Every beginning of a hello asks for more")
  func beginnings() {
    for records in [1, 60, 16_384] {
      let bytes = Self.hello(Self.body([Self.named(Self.entry("a.example"))]), records: records)
      for count in 0..<bytes.count {
        #expect(Self.verdict(Array(bytes[..<count])) == .more, "\(count) of \(bytes.count)")
      }
      #expect(Self.verdict(bytes) == .hello(name: "a.example"))
    }
  }

  @Test("A hello without a name is one")
  func nameless() {
    for extensions in [nil, [], [Self.other, [0xAA, 0xAA, 0, 0]]] as [[[UInt8]]?] {
      #expect(Self.verdict(Self.hello(Self.body(extensions))) == .hello(name: nil))
    }
  }

  @Test("What breaks the rules of the message is broken, and never guessed")
  func broken() {
    let name = Self.named(Self.entry("a.example"))
    let long = String(repeating: "a", count: 256)
    let bodies: [[UInt8]] = [
      Self.body(session: 33, [name]), Self.body(ciphers: 3, [name]), Self.body(ciphers: 0, [name]),
      Self.body([name]) + [0], Self.body([name, name]), Self.body([name, [0]]), Self.body([name, [0, 5, 0, 9]]), [],
      [3],
      Self.body([Self.named()]), Self.body([Self.named(Self.entry(""))]), Self.body([Self.named(Self.entry(long))]),
      Self.body([Self.named(Self.entry("a b"))]), Self.body([Self.named(Self.entry("a\0b"))]),
      Self.body([Self.named(Self.entry("ä.example"))]), Self.body([Self.named(Self.entry("x", type: 1))]),
      Self.body([Self.named(Self.entry("a"), Self.entry("b"))]), Self.body([[0, 0, 0, 0]]),
      Self.body([[0, 0, 0, 2, 0, 9]]),
    ]
    for body in bodies { #expect(Self.verdict(Self.hello(body)) == .other("its hello is broken"), "\(body)") }
  }

  @Test("Other protocols are recognized by their first bytes")
  func others() {
    for text in ["GET / HTTP/1.1\r\n", "SSH-2.0", "PROXY TCP4", "\u{16}x", "\u{16}\u{3}x"] {
      #expect(Self.verdict(Array(text.utf8)) == .other("it does not begin as TLS does"), "\(text)")
    }
    // A hello of SSL 2, an alert, and a record with a message that is not a hello.
    for bytes in [[0x80, 0x2E, 1, 3, 1], [21, 3, 3, 0, 2, 1, 0]] as [[UInt8]] {
      #expect(Self.verdict(bytes) == .other("it does not begin as TLS does"))
    }
    #expect(Self.verdict([22, 3, 3, 0, 4, 2, 0, 0, 0]) == .other("its first message is not a hello"))
    #expect(Self.verdict([22, 3, 3, 0, 0]) == .other("a record of 0 bytes breaks the protocol"))
    #expect(Self.verdict([22, 3, 3, 64, 1]) == .other("a record of 16385 bytes breaks the protocol"))
  }

  @Test("A hello is bounded, also one whose records have one byte each")
  func limits() {
    let tooLong = Verdict.other("its hello is longer than 65536 bytes")
    #expect(Self.verdict([22, 3, 1, 0, 4, 1, 1, 0, 1]) == tooLong, "at once")
    let filler: [UInt8] = [0, 21] + Self.sized(2, [UInt8](repeating: 0, count: 40_000))
    let large = Self.body([filler, Self.named(Self.entry("large.example"))])
    #expect(Self.verdict(Self.hello(large)) == .hello(name: "large.example"))
    #expect(Self.verdict(Self.hello(large, records: 1)) == tooLong)
  }

  // MARK: Random bytes

  @Test("No bytes trap the reader, and how they are cut makes no difference", .timeLimit(.minutes(5)))
  func fuzz() {
    var random = SplitMix(seed: 2026)
    let seeds = [
      Self.hello(Self.body([Self.other, Self.named(Self.entry("a.example"))])),
      Self.hello(Self.body([Self.named(Self.entry("b.example"), Self.entry("x", type: 9))]), records: 11),
      Self.hello(Self.body(nil)),
    ]
    for round in 0..<10_000 {
      var bytes = seeds[round % seeds.count]
      if round % 5 == 0 { bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in random.byte() } }
      // Random content behind a header that is right.
      if round % 5 == 1 {
        let content = (0..<Int.random(in: 1...120, using: &random)).map { _ in random.byte() }
        bytes = Self.hello(round % 2 == 0 ? content : [3, 3] + [UInt8](repeating: 0, count: 32) + content)
      }
      for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0...3, using: &random) {
        case 0: bytes[index] = random.byte()
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 2: bytes.remove(at: index)
        default: bytes.insert(random.byte(), at: index)
        }
      }
      let whole = Self.verdict(bytes)
      // No expectation each: they would take most of the time.
      for pieces in [1, Int.random(in: 2...40, using: &random)] where Self.verdict(bytes, pieces: pieces) != whole {
        Issue.record("in pieces of \(pieces): \(bytes)")
      }
    }
  }

  // MARK: Hellos of OpenSSL

  @Test(
    "The hello of OpenSSL has the name that the session was made with, of each version",
    .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
    arguments: [TLSVersion.tls12, .tls13])
  func openSSL(version: TLSVersion) throws {
    var configuration = TLSSessionTests.client()
    configuration.maximumVersion = version
    configuration.applicationProtocols = ["h2", "http/1.1"]
    let context = try TLSContext(configuration)
    for (host, name) in [("www.example.org", "www.example.org"), ("127.0.0.1", nil)] {
      let side = try SessionPair.Side(context, serverName: host)
      side.receive([])
      let bytes = side.takeOutput()
      #expect(bytes.count > 100)
      #expect(Self.verdict(bytes) == .hello(name: name))
      for count in 0..<bytes.count { #expect(Self.verdict(Array(bytes[..<count])) == .more) }
    }
  }
}

extension SplitMix {
  fileprivate mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}

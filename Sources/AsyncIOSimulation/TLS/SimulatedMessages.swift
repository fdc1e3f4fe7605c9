// The messages of a handshake: a type, a length in three bytes, and a body. The other side may send anything, so
// every length is checked against the bytes that have come.

/// What a client begins with.
struct SimulatedClientHello: Hashable {
  var nonce: UInt64
  var minimum: UInt16
  var maximum: UInt16
  var serverName: String?
  var protocols: [String]
  /// For both versions.
  var ciphers: [String]
  var groups: [String]
  /// What the server gave out to go on with; empty if there is nothing.
  var ticket: [UInt8]
  var wantsTickets: Bool
}

/// What a server answers.
struct SimulatedServerHello: Hashable {
  var nonce: UInt64
  var version: UInt16
  var cipher: String
  var applicationProtocol: String?
  var isResumed: Bool
  var wantsCertificate: Bool
}

enum SimulatedMessage: Hashable {
  case clientHello(SimulatedClientHello)
  case serverHello(SimulatedServerHello)
  case certificate([SimulatedCertificate])
  /// The end of a side's messages, with a number for all messages so far.
  case finished(UInt64)
  case ticket([UInt8])

  /// The longest body that is taken: a chain of many certificates.
  static let maximum = 100_000

  /// The bytes, with type and length.
  var encoded: [UInt8] {
    var body = SimulatedWriter()
    let type: UInt8
    switch self {
    case .clientHello(let hello):
      type = 1
      body.number(hello.nonce)
      body.number(hello.minimum)
      body.number(hello.maximum)
      body.text(hello.serverName ?? "")
      body.texts(hello.protocols)
      body.texts(hello.ciphers)
      body.texts(hello.groups)
      body.bytes(hello.ticket)
      body.number(hello.wantsTickets ? 1 : 0 as UInt8)
    case .serverHello(let hello):
      type = 2
      body.number(hello.nonce)
      body.number(hello.version)
      body.text(hello.cipher)
      body.text(hello.applicationProtocol ?? "")
      body.number(hello.isResumed ? 1 : 0 as UInt8)
      body.number(hello.wantsCertificate ? 1 : 0 as UInt8)
    case .certificate(let chain):
      type = 11
      body.certificates(chain)
    case .finished(let digest):
      type = 20
      body.number(digest)
    case .ticket(let bytes):
      type = 4
      body.bytes(bytes)
    }
    let count = body.written.count
    return [
      type, UInt8(truncatingIfNeeded: count >> 16), UInt8(truncatingIfNeeded: count >> 8),
      UInt8(truncatingIfNeeded: count),
    ] + body.written
  }

  /// Read a message without its type and length; nil if it is not one.
  init?(type: UInt8, body: [UInt8]) {
    var body = SimulatedReader(body)
    switch type {
    case 1:
      guard let nonce: UInt64 = body.number(), let minimum: UInt16 = body.number(), let maximum: UInt16 = body.number(),
        let name = body.text(), let protocols = body.texts(), let ciphers = body.texts(), let groups = body.texts(),
        let ticket = body.bytes(), let wantsTickets: UInt8 = body.number()
      else { return nil }
      self = .clientHello(
        SimulatedClientHello(
          nonce: nonce, minimum: minimum, maximum: maximum, serverName: name.isEmpty ? nil : name,
          protocols: protocols, ciphers: ciphers, groups: groups, ticket: ticket, wantsTickets: wantsTickets == 1))
    case 2:
      guard let nonce: UInt64 = body.number(), let version: UInt16 = body.number(), let cipher = body.text(),
        let name = body.text(), let isResumed: UInt8 = body.number(), let wants: UInt8 = body.number()
      else { return nil }
      self = .serverHello(
        SimulatedServerHello(
          nonce: nonce, version: version, cipher: cipher, applicationProtocol: name.isEmpty ? nil : name,
          isResumed: isResumed == 1, wantsCertificate: wants == 1))
    case 4:
      guard let bytes = body.bytes() else { return nil }
      self = .ticket(bytes)
    case 11:
      guard let chain = body.certificates() else { return nil }
      self = .certificate(chain)
    case 20:
      guard let digest: UInt64 = body.number() else { return nil }
      self = .finished(digest)
    default: return nil
    }
    guard body.isAtEnd else { return nil }
  }
}

/// Puts numbers and texts into bytes, each text behind its length in two bytes.
struct SimulatedWriter {
  private(set) var written: [UInt8] = []

  mutating func number<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.bigEndian) { written.append(contentsOf: $0) }
  }

  mutating func bytes(_ bytes: [UInt8]) {
    number(UInt16(truncatingIfNeeded: bytes.count))
    written += bytes
  }

  mutating func text(_ text: String) { bytes(Array(text.utf8)) }

  mutating func texts(_ texts: [String]) {
    number(UInt16(truncatingIfNeeded: texts.count))
    for text in texts { self.text(text) }
  }

  mutating func certificates(_ chain: [SimulatedCertificate]) {
    number(UInt16(truncatingIfNeeded: chain.count))
    for certificate in chain { texts(certificate.lines) }
  }
}

/// Takes the same out of bytes; nil where they end too early.
struct SimulatedReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number<Number: FixedWidthInteger>() -> Number? {
    let size = Number.bitWidth / 8
    guard rest.count >= size else { return nil }
    defer { rest = rest.dropFirst(size) }
    return rest.prefix(size).reduce(0 as Number) { ($0 &<< 8) | Number(truncatingIfNeeded: $1) }
  }

  mutating func bytes() -> [UInt8]? {
    guard let count: UInt16 = number(), rest.count >= Int(count) else { return nil }
    defer { rest = rest.dropFirst(Int(count)) }
    return Array(rest.prefix(Int(count)))
  }

  mutating func text() -> String? { bytes().map { String(decoding: $0, as: UTF8.self) } }

  mutating func texts() -> [String]? {
    guard let count: UInt16 = number() else { return nil }
    var texts: [String] = []
    for _ in 0..<count {
      guard let text = text() else { return nil }
      texts.append(text)
    }
    return texts
  }

  mutating func certificates() -> [SimulatedCertificate]? {
    guard let count: UInt16 = number() else { return nil }
    var chain: [SimulatedCertificate] = []
    for _ in 0..<count {
      guard let lines = texts(), let certificate = SimulatedCertificate(lines: lines) else { return nil }
      chain.append(certificate)
    }
    return chain
  }
}

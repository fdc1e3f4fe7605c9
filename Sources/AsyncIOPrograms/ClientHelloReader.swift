// The first message of a client of TLS, read without answering it: only the name of the host that it asks for. The
// traps:
//
// - The bytes come from anybody, and the lengths in them may contradict each other. Each is compared with what has
//   come.
// - A hello may be spread over many records, and over any number of reads. So the reader holds the message, and the
//   caller the bytes as they came.
// - A record may be as short as one byte. The limit counts the bytes as they came, with the headers of the records.
// - Two names would let this reader and the server choose different ones. Such a hello is refused, as servers do.

/// Reads the hello of a client piece by piece. A value: it knows nothing of sockets and time.
package struct ClientHelloReader: Sendable {
  /// What the bytes so far are.
  package enum Verdict: Hashable, Sendable {
    /// The beginning of a hello: more bytes are needed.
    case more
    /// A whole hello, and the host that it asks for, in small letters.
    case hello(name: String?)
    /// Not a hello, and why.
    case other(String)
  }

  /// The longest hello, in bytes as they come. Those of today's clients have up to two thousand.
  package static let limit = 64 * 1024

  /// What was said last; it stays once it is not ``Verdict/more``.
  package private(set) var verdict = Verdict.more
  private var header: [UInt8] = []
  /// How many bytes of the record have not come.
  private var missing = 0
  private var message: [UInt8] = []
  private var count = 0

  private static let headerCount = 5
  /// The type of the message, and its length in three bytes.
  private static let prefixCount = 4

  package init() {}

  /// Take the next bytes of the client.
  package mutating func take(_ bytes: [UInt8]) -> Verdict {
    var rest = bytes[...]
    while verdict == .more, let byte = rest.first {
      if missing == 0 {
        rest.removeFirst()
        takeHeader(byte)
      } else {
        let piece = rest.prefix(missing)
        rest.removeFirst(piece.count)
        takeContent(piece)
      }
    }
    return verdict
  }

  private mutating func takeHeader(_ byte: UInt8) {
    header.append(byte)
    count += 1
    switch header.count {
    // A handshake, which all versions since SSL 3 call so; the second and the third byte are the version.
    case 1 where byte != 22, 2 where byte != 3, 3 where byte > 4: verdict = .other("it does not begin as TLS does")
    case Self.headerCount:
      missing = Int(header[3]) << 8 | Int(header[4])
      header.removeAll(keepingCapacity: true)
      if missing == 0 || missing > 16_384 { verdict = .other("a record of \(missing) bytes breaks the protocol") }
    default: break
    }
    checkLimit()
  }

  private mutating func takeContent(_ piece: ArraySlice<UInt8>) {
    message += piece
    missing -= piece.count
    count += piece.count
    guard message[0] == 1 else {
      verdict = .other("its first message is not a hello")
      return
    }
    if message.count >= Self.prefixCount {
      let length = message[1..<Self.prefixCount].reduce(0) { $0 << 8 | Int($1) }
      if length > Self.limit { return refuseLength() }
      let end = Self.prefixCount + length
      if message.count >= end { return decide(message[Self.prefixCount..<end]) }
    }
    checkLimit()
  }

  private mutating func checkLimit() {
    if verdict == .more, count >= Self.limit { refuseLength() }
  }

  private mutating func refuseLength() {
    verdict = .other("its hello is longer than \(Self.limit) bytes")
    message = []
  }

  private mutating func decide(_ body: ArraySlice<UInt8>) {
    var body = ByteCursor(body)
    do throws(ByteCursor.Broken) {
      verdict = .hello(name: try body.nameInHello())
    } catch {
      verdict = .other("its hello is broken")
    }
    message = []
  }
}

/// Bytes with lengths in them, read from the front.
private struct ByteCursor {
  struct Broken: Error {}

  private var bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  var isEmpty: Bool { bytes.isEmpty }
  var count: Int { bytes.count }

  mutating func take(_ count: Int) throws(Broken) -> ArraySlice<UInt8> {
    guard count <= bytes.count else { throw Broken() }
    defer { bytes = bytes.dropFirst(count) }
    return bytes.prefix(count)
  }

  /// Read a number of `size` bytes, at most three.
  mutating func number(_ size: Int) throws(Broken) -> Int { try take(size).reduce(0) { $0 << 8 | Int($1) } }

  /// Read a length of `size` bytes, and the bytes that follow it.
  mutating func vector(_ size: Int, _ counts: PartialRangeFrom<Int> = 0...) throws(Broken) -> ByteCursor {
    let content = try take(try number(size))
    guard counts.contains(content.count) else { throw Broken() }
    return ByteCursor(content)
  }

  /// Read the body of a hello, and return the host that it names.
  mutating func nameInHello() throws(Broken) -> String? {
    // Version and random number, session, ciphers, compressions.
    _ = try take(2 + 32)
    guard try vector(1).count <= 32, try vector(2, 2...).count % 2 == 0 else { throw Broken() }
    _ = try vector(1, 1...)
    if isEmpty { return nil }
    var extensions = try vector(2)
    guard isEmpty else { throw Broken() }
    var name: String?
    while !extensions.isEmpty {
      let kind = try extensions.number(2)
      var content = try extensions.vector(2)
      guard kind == 0 else { continue }
      guard name == nil else { throw Broken() }
      name = try content.nameInList()
    }
    return name
  }

  /// Read a list of names, which has one of each type.
  private mutating func nameInList() throws(Broken) -> String {
    var list = try vector(2, 1...)
    guard isEmpty else { throw Broken() }
    var name: String?
    while !list.isEmpty {
      let type = try list.number(1)
      let value = try list.vector(2)
      guard type == 0 else { continue }
      guard name == nil, (1...255).contains(value.count), value.bytes.allSatisfy({ (33...126).contains($0) }) else {
        throw Broken()
      }
      name = String(decoding: value.bytes, as: UTF8.self).lowercased()
    }
    guard let name else { throw Broken() }
    return name
  }
}

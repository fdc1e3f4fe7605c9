internal import AsyncIO

// Records: a type, a version, a length in two bytes, and a body, which is the user's bytes in disguise with a checksum
// in front once the two sides have a key. The checksum covers the header and the number of the record as well, so
// a record that is changed, lost, doubled or moved is noticed.

/// A number that stands for bytes, and differs if any of them does. Not for secrets.
struct SimulatedDigest: Hashable, Sendable {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func mix(_ word: UInt64) {
    value = (value ^ word) &* 0x9FB2_1C65_1E98_DF25
    value ^= value >> 29
  }

  mutating func mix(_ bytes: [UInt8]) { bytes.withUnsafeBytes { mix($0) } }

  mutating func mix(_ bytes: UnsafeRawBufferPointer) {
    mix(UInt64(bytes.count))
    var index = 0
    while index + 8 <= bytes.count {
      mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)))
      index += 8
    }
    var last: UInt64 = 0
    for byte in bytes[index...] { last = last << 8 | UInt64(byte) }
    mix(last)
  }
}

/// The types of records.
enum SimulatedRecordType {
  static let alert: UInt8 = 21
  static let handshake: UInt8 = 22
  static let data: UInt8 = 23
}

/// A record as it was received; its body still in disguise.
struct SimulatedRecord {
  static let headerSize = 5
  static let checksumSize = 8
  /// Of the user's bytes in one record.
  static let maximum = 16_384

  let header: [UInt8]
  var body: [UInt8]
  var type: UInt8 { header[0] }

  static func header(_ type: UInt8, _ count: Int) -> [UInt8] {
    [type, 3, 3, UInt8(count >> 8), UInt8(truncatingIfNeeded: count)]
  }
}

/// Disguises and checks one direction of a session.
struct SimulatedProtection {
  private let key: UInt64
  private var number: UInt64 = 0

  /// - Parameters:
  ///   - key: what both sides have agreed on.
  ///   - isClients: the direction from client to server.
  init(key: UInt64, isClients: Bool) { self.key = key ^ (isClients ? 0x5C5C_5C5C_5C5C_5C5C : 0) }

  /// Return a record with the bytes, at most as many as a record has.
  mutating func seal(_ type: UInt8, _ plain: UnsafeRawBufferPointer) -> [UInt8] {
    let header = SimulatedRecord.header(type, plain.count + SimulatedRecord.checksumSize)
    var record = header
    record.reserveCapacity(header.count + SimulatedRecord.checksumSize + plain.count)
    withUnsafeBytes(of: checksum(header, plain).littleEndian) { record.append(contentsOf: $0) }
    record.append(contentsOf: plain)
    disguise(&record, from: header.count)
    number += 1
    return record
  }

  /// Return the bytes of a record; nil if it is not the one that was sent.
  mutating func open(_ record: SimulatedRecord) -> [UInt8]? {
    var body = record.body
    guard body.count >= SimulatedRecord.checksumSize else { return nil }
    disguise(&body, from: 0)
    let isRight = body.withUnsafeBytes { body in
      let sum = UInt64(littleEndian: body.loadUnaligned(as: UInt64.self))
      return sum == checksum(record.header, UnsafeRawBufferPointer(rebasing: body[SimulatedRecord.checksumSize...]))
    }
    guard isRight else { return nil }
    number += 1
    body.removeFirst(SimulatedRecord.checksumSize)
    return body
  }

  private func checksum(_ header: [UInt8], _ plain: UnsafeRawBufferPointer) -> UInt64 {
    var digest = SimulatedDigest()
    digest.mix(key)
    digest.mix(number)
    digest.mix(header)
    digest.mix(plain)
    return digest.value
  }

  /// Change every byte by a stream of numbers that follows from the key and the record's number; a second time gives
  /// the first bytes.
  private func disguise(_ bytes: inout [UInt8], from start: Int) {
    var random = SimulationRandom(seed: key, stream: number)
    bytes.withUnsafeMutableBytes { bytes in
      var index = start
      while index + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ random.next()
        bytes.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
        index += 8
      }
      var last = random.next()
      while index < bytes.count {
        bytes[index] ^= UInt8(truncatingIfNeeded: last)
        last >>= 8
        index += 1
      }
    }
  }
}

/// Collects the bytes of records, and takes no byte beyond the one that it works on: what follows may be plain.
struct SimulatedRecordReader {
  private var collected: [UInt8] = []
  private var hasSeenRecord = false

  /// True in the middle of a record.
  var isInRecord: Bool { !collected.isEmpty }

  /// Return the next record; nil if more input is needed.
  mutating func next(from bytes: TLSBytes) throws(SimulatedFault) -> SimulatedRecord? {
    while true {
      var needed = SimulatedRecord.headerSize
      if collected.count >= needed { needed += try length() }
      if collected.count >= SimulatedRecord.headerSize, collected.count == needed {
        defer { collected.removeAll(keepingCapacity: true) }
        hasSeenRecord = true
        return SimulatedRecord(
          header: Array(collected[..<SimulatedRecord.headerSize]),
          body: Array(collected[SimulatedRecord.headerSize...]))
      }
      let taken = bytes.takeInput(needed - collected.count)
      if taken.isEmpty { return nil }
      collected.append(contentsOf: taken)
    }
  }

  /// Check the header that was collected, and return the length of the body.
  private func length() throws(SimulatedFault) -> Int {
    let isKnown = (SimulatedRecordType.alert...SimulatedRecordType.data).contains(collected[0]) && collected[1] == 3
    guard isKnown else { throw strange() }
    let length = Int(collected[3]) << 8 | Int(collected[4])
    guard (1...SimulatedRecord.maximum + SimulatedRecord.checksumSize).contains(length) else {
      throw .damaged("a record of \(length) bytes", alert: 22)
    }
    return length
  }

  private func strange() -> SimulatedFault {
    guard !hasSeenRecord else { return .damaged("a record of an unknown type or version", alert: 10) }
    let start = String(decoding: collected, as: UTF8.self)
    if ["GET ", "POST ", "HEAD ", "PUT ", "OPTIO", "DELET", "CONNE"].contains(where: { start.hasPrefix($0) }) {
      return SimulatedFault(
        .notTLS, "the other side sent a plain HTTP request. Use https, or a port without TLS.", alert: nil)
    }
    return SimulatedFault(
      .notTLS, "the other side does not speak TLS here, or a version that is not known. Check the port.", alert: 70)
  }
}

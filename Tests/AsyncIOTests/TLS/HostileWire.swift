/// An attacker's wire: it carries bytes record by record and changes some. What it does follows from its seed.
struct HostileWire {
  var random: SplitMix
  /// How many records it has been given, and how many of them it did not leave alone.
  private(set) var records = 0
  private(set) var changes = 0
  /// Records to let through before the next change.
  private var patience: Int
  private let pause: Int
  /// What came by, of both directions, to be sent again.
  private var seen: [[UInt8]] = []

  /// - Parameter patience: the most records that pass before the first change; half of the wires wait less than six.
  init(seed: UInt64, patience: Int = 150) {
    random = SplitMix(seed: seed)
    self.patience = Int.random(in: 0...(Bool.random(using: &random) ? 6 : patience), using: &random)
    pause = Int.random(in: 1...20, using: &random)
  }

  /// The bytes as they arrive on the other side.
  mutating func carry(_ bytes: [UInt8]) -> [UInt8] {
    guard !bytes.isEmpty else { return [] }
    var arriving: [[UInt8]] = []
    for record in Self.split(bytes) {
      records += 1
      if seen.count < 64 { seen.append(record) }
      if patience > 0 {
        patience -= 1
        arriving.append(record)
      } else {
        patience = Int.random(in: 0...pause, using: &random)
        changes += 1
        change(record, &arriving)
      }
    }
    // One after the other, because `joined()` goes byte by byte.
    return arriving.reduce(into: []) { $0.append(contentsOf: $1) }
  }

  /// The bytes in pieces of random sizes, as a network may deliver them.
  mutating func pieces(of bytes: [UInt8]) -> [[UInt8]] {
    guard !bytes.isEmpty else { return [] }
    let choice = [5, 100, 4_000, .max, .max, .max].randomElement(using: &random)!
    // Many tiny pieces of a large message only cost time.
    let least = max(1, bytes.count / 20)
    let largest = max(least, min(choice, bytes.count))
    var pieces: [[UInt8]] = []
    var index = 0
    while index < bytes.count {
      let end = min(bytes.count, index + Int.random(in: least...largest, using: &random))
      pieces.append(Array(bytes[index..<end]))
      index = end
    }
    return pieces
  }

  /// Split what one side has sent into records; what is not one stays together.
  private static func split(_ bytes: [UInt8]) -> [[UInt8]] {
    var records: [[UInt8]] = []
    var index = 0
    while bytes.count - index >= 5 {
      let end = index + 5 + Int(bytes[index + 3]) << 8 + Int(bytes[index + 4])
      guard end <= bytes.count else { break }
      records.append(Array(bytes[index..<end]))
      index = end
    }
    if index < bytes.count { records.append(Array(bytes[index...])) }
    return records
  }

  private mutating func change(_ record: [UInt8], _ arriving: inout [[UInt8]]) {
    var record = record
    let position = Int.random(in: 0..<record.count, using: &random)
    switch Int.random(in: 0..<15, using: &random) {
    case 0: record[position] ^= UInt8.random(in: 1...255, using: &random)
    case 1: record[position % 5 % record.count] ^= 1 << UInt8.random(in: 0...7, using: &random)
    case 2: record.removeSubrange(position...)
    case 3: record = []
    case 4: record += record
    case 5: record.insert(contentsOf: noise(50), at: position)
    case 6: arriving.append(noise(50))
    case 7: arriving.append(framed(UInt8.random(in: 19...24, using: &random), noise(100)))
    case 8: arriving.append(seen.randomElement(using: &random)!)
    case 9: arriving.insert(record, at: Int.random(in: 0...arriving.count, using: &random))
    case 10: if let last = arriving.popLast() { (record, arriving) = (last, arriving + [record]) }
    case 11: record = halves(record, position)
    case 12: record = Array(record.prefix(3)) + [0x41, 0x01] + record.dropFirst(5)
    // A goodbye without protection: it must not end a stream.
    case 13: arriving.append(framed(21, [1, 0]))
    // A change of cipher, which some moments allow and others do not.
    default: arriving.append(framed(20, [1]))
    }
    arriving.append(record)
  }

  /// A record cut into two with headers of their own, which is allowed before the protection begins.
  private func halves(_ record: [UInt8], _ position: Int) -> [UInt8] {
    guard record.count > 6, position > 5 else { return record }
    return framed(record[0], Array(record[5..<position])) + framed(record[0], Array(record[position...]))
  }

  private func framed(_ kind: UInt8, _ content: [UInt8]) -> [UInt8] {
    [kind, 3, 3, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
  }

  private mutating func noise(_ most: Int) -> [UInt8] {
    (0..<Int.random(in: 1...most, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
  }
}

/// What happened, in the order in which it happened: all of it in one number, the last part of it in words.
struct Trace {
  /// What an entry is about. The numbers go into the hash: new kinds come last.
  enum Kind: UInt8 {
    case turn, packetSent, packetArrived, packetLost, packetHeld, fault, socketMade, socketClosed, bound, listening
    case connected, accepted, weather, hostDown, hostUp, program, note, work
  }

  struct Entry {
    let time: Int64
    let kind: Kind
    let a: Int
    let b: Int
    let text: String?
  }

  private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  private(set) var count = 0
  private var ring: [Entry] = []
  private var next = 0
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  mutating func add(_ kind: Kind, _ a: Int = 0, _ b: Int = 0, _ text: String? = nil, at time: Int64) {
    mix(UInt64(bitPattern: time))
    mix(UInt64(kind.rawValue) << 56 ^ UInt64(bitPattern: Int64(a)) << 24 ^ UInt64(bitPattern: Int64(b)))
    if let text { for byte in text.utf8 { mix(UInt64(byte)) } }
    count += 1
    // Turns only say how busy the program is, which no reader looks for.
    guard kind != .turn, capacity > 0 else { return }
    let entry = Entry(time: time, kind: kind, a: a, b: b, text: text)
    if ring.count < capacity {
      ring.append(entry)
    } else {
      ring[next] = entry
      next = (next + 1) % capacity
    }
  }

  @inline(__always)
  private mutating func mix(_ bits: UInt64) {
    hash = (hash ^ bits) &* 0x9FB2_1C65_1E98_DF25
    hash ^= hash >> 32
  }

  /// The last entries, oldest first.
  var entries: [Entry] { Array(ring[next...] + ring[..<next]) }
}

extension Trace.Entry: CustomStringConvertible {
  var description: String {
    let what: String =
      switch kind {
      case .turn: "turn with \(a) entries"
      case .packetSent: "sent \(a) bytes"
      case .packetArrived: "arrived: \(a) bytes"
      case .packetLost: "lost: \(a) bytes"
      case .packetHeld: "held back: \(a) bytes"
      case .fault: "fault"
      case .socketMade: "socket \(a) made"
      case .socketClosed: "socket \(a) closed"
      case .bound: "socket \(a) bound"
      case .listening: "socket \(a) listens"
      case .connected: "socket \(a) connected"
      case .accepted: "socket \(a) accepted as \(b)"
      case .weather: "weather"
      case .hostDown: "host down"
      case .hostUp: "host up"
      case .program: "program"
      case .note: "note"
      case .work: "work in a thread"
      }
    return "\(SimulationInstant.text(time - SimulationInstant.beginning))  \(what)" + (text.map { ": \($0)" } ?? "")
  }
}

/// Times as people read them.
enum SimulationInstant {
  /// What the clock of a world shows when it begins: not 0, which programs take for "never".
  static let beginning: Int64 = 1_000_000_000

  static func text(_ nanoseconds: Int64) -> String {
    let micro = nanoseconds / 1000
    let fraction = "\(micro % 1_000_000)"
    return "\(micro / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction) s"
  }
}

/// What a transport has been given to send and the system has not taken: one block that a send operation uses, and one
/// that collects what comes meanwhile. When it is empty it holds no memory.
struct OutgoingBytes {
  private var block: [UInt8] = []
  /// How many bytes of the block are gone.
  private var gone = 0
  private var waiting: [UInt8] = []

  var count: Int { block.count - gone + waiting.count }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ bytes: UnsafeRawBufferPointer) { waiting.append(contentsOf: bytes) }

  /// Return the next bytes to send, at most `limit`. They stay in place until `consume` or `removeAll`; what is
  /// appended goes elsewhere.
  mutating func next(_ limit: Int) -> UnsafeMutableRawBufferPointer {
    if gone == block.count {
      block = waiting
      waiting = []
      gone = 0
    }
    let n = min(block.count - gone, limit)
    // Right because the array is the only owner of its memory and is not changed while an operation uses it.
    return block.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[gone..<gone + n]) }
  }

  /// Drop this many bytes of what `next` returned.
  mutating func consume(_ count: Int) {
    gone += count
    guard gone == block.count else { return }
    block = []
    gone = 0
  }

  mutating func removeAll() { self = OutgoingBytes() }
}

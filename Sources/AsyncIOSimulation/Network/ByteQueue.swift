/// Bytes that have arrived and have not been read yet, in the pieces in which they came.
struct ByteQueue {
  private var pieces: [[UInt8]] = []
  /// Pieces and bytes of the first piece that are read.
  private var first = 0
  private var offset = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    pieces.append(bytes)
    count += bytes.count
  }

  /// Move bytes out: as many as there are, and at most `limit`.
  mutating func read(into memory: UnsafeMutableRawPointer, _ limit: Int) -> Int {
    var done = 0
    while done < limit, first < pieces.count {
      let n = min(limit - done, pieces[first].count - offset)
      pieces[first].withUnsafeBytes { (memory + done).copyMemory(from: $0.baseAddress! + offset, byteCount: n) }
      done += n
      offset += n
      if offset == pieces[first].count { dropFirst() }
    }
    count -= done
    return done
  }

  private mutating func dropFirst() {
    // Not the array: its place is given back when all are read.
    pieces[first] = []
    first += 1
    offset = 0
    if first == pieces.count || first > 64 {
      pieces.removeFirst(first)
      first = 0
    }
  }

  mutating func removeAll() { self = ByteQueue() }
}

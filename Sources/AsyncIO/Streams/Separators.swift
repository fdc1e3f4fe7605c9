/// Several separators, any of which ends a read.
struct Separators {
  /// Shortest first.
  private let all: [[UInt8]]
  /// The last bytes of all separators as a bit set, 64 bits in a word.
  private let lastBytes: InlineArray<4, UInt64>

  /// The length of the longest separator.
  var longest: Int { all.last!.count }

  /// Throws code `invalidArgument` if there is no separator, or an empty one.
  init(_ separators: [[UInt8]], _ operation: String) throws(EventLoopError) {
    guard !separators.isEmpty else {
      throw EventLoopError(.invalidArgument, "\(operation): there are no separators. Give at least one.")
    }
    if let index = separators.firstIndex(where: \.isEmpty) {
      throw EventLoopError(
        .invalidArgument, "\(operation): separator \(index) is empty. Give at least one byte, or leave it out.")
    }
    all = separators.sorted { $0.count < $1.count }
    var lastBytes = InlineArray<4, UInt64>(repeating: 0)
    for separator in separators {
      let byte = Int(separator.last!)
      lastBytes[byte / 64] |= 1 << UInt64(byte % 64)
    }
    self.lastBytes = lastBytes
  }

  @inline(__always)
  func mayEnd(with byte: UInt8) -> Bool { lastBytes[Int(byte) / 64] & (1 << UInt64(byte % 64)) != 0 }

  /// Return the length of the shortest separator at the end of the bytes; nil if there is none.
  func lengthOfShortest(endingIn bytes: ArraySlice<UInt8>) -> Int? {
    all.first { bytes.count >= $0.count && bytes.suffix($0.count).elementsEqual($0) }?.count
  }
}

/// Bytes that have been received and wait to be read. The buffer grows at the end and is consumed from the front. When
/// it is empty it holds almost no memory, so idle connections keep none.
struct ReadBuffer {
  private(set) var bytes: [UInt8] = []
  private var head = 0

  var count: Int { bytes.count - head }
  var isEmpty: Bool { count == 0 }

  /// Add bytes at the end.
  mutating func append(_ span: RawSpan) {
    span.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// Take `count` bytes from the front.
  mutating func take(_ count: Int) -> [UInt8] {
    precondition(count <= self.count)
    let taken = Array(bytes[head..<head + count])
    drop(count)
    return taken
  }

  /// Copy as much as fits into memory and take it from the front.
  mutating func copy(into memory: UnsafeMutableRawBufferPointer) -> Int {
    let n = min(count, memory.count)
    guard n > 0 else { return 0 }
    bytes.withUnsafeBytes { memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[head..<head + n])) }
    drop(n)
    return n
  }

  /// Lend what is there.
  func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[head...]).bytes) }
  }

  /// Drop `count` bytes from the front.
  mutating func drop(_ count: Int) {
    head += count
    if head == bytes.count {
      bytes = []
      head = 0
    } else if head > 64 * 1024 && head > bytes.count / 2 {
      bytes.removeFirst(head)
      head = 0
    }
  }

  /// Return where the separator ends, counted from the front, searching from `start`; nil if it is not there.
  func end(of separator: [UInt8], from start: Int) -> Int? {
    guard let first = separator.first, count >= separator.count else { return nil }
    var index = head + max(0, start)
    let last = bytes.count - separator.count
    while index <= last {
      if bytes[index] == first && bytes[index..<index + separator.count].elementsEqual(separator) {
        return index - head + separator.count
      }
      index += 1
    }
    return nil
  }

  /// Find the first end of a separator after `start` bytes in which none ends. Returns the end and the length of the
  /// shortest separator that ends there; nil if there is none. Each byte is checked as an end once, so chunks may be
  /// cut anywhere.
  func end(of separators: Separators, behind start: Int) -> (end: Int, length: Int)? {
    var index = head + start
    while index < bytes.count {
      if separators.mayEnd(with: bytes[index]) {
        let stretch = bytes[head...index]
        if let length = separators.lengthOfShortest(endingIn: stretch) { return (stretch.count, length) }
      }
      index += 1
    }
    return nil
  }
}

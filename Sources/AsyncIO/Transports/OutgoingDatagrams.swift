/// Datagrams that wait to be sent; an operation may be using the first one. Each counts with its bytes and the eight of
/// a header, so that the number of empty ones is bounded too.
struct OutgoingDatagrams {
  struct Item {
    /// Memory of its own, because an operation uses it while other datagrams come and go.
    let bytes: UnsafeMutableRawBufferPointer
    let address: SocketAddress?
  }

  static let headerSize = 8

  private var items = FirstInFirstOut<Item>()
  /// The number of bytes, with headers.
  private(set) var size = 0

  var isEmpty: Bool { items.isEmpty }
  var first: Item? { items.first }

  /// Append a copy of the bytes.
  mutating func append(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
    copy.copyMemory(from: bytes)
    items.append(Item(bytes: UnsafeMutableRawBufferPointer(rebasing: copy[..<bytes.count]), address: address))
    size += bytes.count + Self.headerSize
  }

  mutating func removeFirst() {
    guard let item = items.popFirst() else { return }
    size -= item.bytes.count + Self.headerSize
    item.bytes.deallocate()
  }

  mutating func removeAll() {
    while !isEmpty { removeFirst() }
  }
}

/// Datagrams that wait to be sent, the first of them perhaps with an operation. Each counts with its bytes and the
/// eight of a header, so that empty ones do not wait without bound.
struct OutgoingDatagrams {
  struct Item {
    /// Memory of its own, because an operation looks at it while others come and go.
    let bytes: UnsafeMutableRawBufferPointer
    let address: SocketAddress?
  }

  static let headerSize = 8

  private var items: [Item] = []
  private var head = 0
  /// Bytes and headers.
  private(set) var size = 0

  var isEmpty: Bool { head == items.count }
  var first: Item? { isEmpty ? nil : items[head] }

  /// Copies the bytes.
  mutating func append(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
    copy.copyMemory(from: bytes)
    items.append(Item(bytes: UnsafeMutableRawBufferPointer(rebasing: copy[..<bytes.count]), address: address))
    size += bytes.count + Self.headerSize
  }

  mutating func removeFirst() {
    let item = items[head]
    size -= item.bytes.count + Self.headerSize
    item.bytes.deallocate()
    head += 1
    // Now and then, so that each costs the same.
    if isEmpty || head > 64 && head > items.count / 2 {
      items.removeFirst(head)
      head = 0
    }
  }

  mutating func removeAll() {
    while !isEmpty { removeFirst() }
  }
}

/// The storage of a queue's elements: it decides which one comes next.
protocol QueueStorage<Element>: Sendable {
  associatedtype Element: Sendable
  var count: Int { get }
  mutating func insert(_ element: Element)
  /// Take the next element; nil if there is none.
  mutating func takeNext() -> Element?
}

extension FirstInFirstOut: QueueStorage {
  mutating func insert(_ element: Element) { append(element) }
  mutating func takeNext() -> Element? { popFirst() }
}

/// The last one first.
struct LastInFirstOut<Element: Sendable>: QueueStorage {
  private var elements: [Element] = []

  var count: Int { elements.count }
  mutating func insert(_ element: Element) { elements.append(element) }
  mutating func takeNext() -> Element? { elements.popLast() }
}

/// The smallest first; of equal ones the one that came first. A binary heap.
struct SmallestFirst<Element: Comparable & Sendable>: QueueStorage {
  private struct Entry: Sendable {
    var element: Element
    var number: UInt64

    static func < (a: Entry, b: Entry) -> Bool {
      a.element < b.element || (!(b.element < a.element) && a.number < b.number)
    }
  }

  private var heap: [Entry] = []
  private var numbers = WaitNumbers()

  var count: Int { heap.count }

  mutating func insert(_ element: Element) {
    heap.append(Entry(element: element, number: numbers.next()))
    var child = heap.count - 1
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func takeNext() -> Element? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first.element }
    heap[0] = last
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < heap.count else { break }
      let child = left + 1 < heap.count && heap[left + 1] < heap[left] ? left + 1 : left
      guard heap[child] < heap[parent] else { break }
      heap.swapAt(child, parent)
      parent = child
    }
    return first.element
  }
}

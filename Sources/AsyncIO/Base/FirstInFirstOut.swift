/// Elements in the order in which they came, in one array, which gives its memory back when a burst is over.
///
/// All queues of the library whose elements are values use this. The others are special: `ReadyQueue` and `Inbox` hold
/// words that are counted by hand, the proactor's chunks and outboxes live in memory that the kernel uses.
struct FirstInFirstOut<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { head == elements.count }
  /// The element that comes next; nil if there is none.
  var first: Element? { isEmpty ? nil : elements[head] }
  /// The number of places in use, those of elements that have gone among them.
  var places: Int { elements.count }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    // What it refers to must not live as long as the array.
    let element = elements[head].take()
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: head <= 1024)
      head = 0
    } else if head >= 64, head > elements.count - head {
      // Only now and then, so that the cost per element stays the same.
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  /// Change the element at a place, 0 for the one that comes next, and return what the change returns.
  mutating func withElement<Result>(at place: Int, _ change: (inout Element) -> Result) -> Result {
    change(&elements[head + place]!)
  }

  mutating func keep(_ isKept: (Element) -> Bool) {
    elements = elements[head...].filter { $0.map(isKept) ?? false }
    head = 0
  }
}

extension FirstInFirstOut: Sendable where Element: Sendable {}

/// Something that waits for a time in the heap of a loop.
protocol TimerNode: AnyObject {
  /// Place in the heap, -1 when not in it. Kept by the heap.
  var heapIndex: Int { get set }
  /// The time has come. Called in the timer phase, after the node has left the heap.
  func fire()
  /// The loop closes before the time has come.
  func drop()
}

/// The timers of a loop: a 4-ary heap by deadline, ties in order of insertion.
///
/// A node knows its place, so a cancelled timer leaves at once: nothing is left behind to be skipped, counted or
/// compacted, and what its callback captured is gone. Four children a node make the heap half as deep as a binary
/// one, and the children of a node share a cache line or two. Jobs of `Task.sleep` are in the same heap; the runtime
/// never takes one back, so they need no place.
struct TimerHeap: ~Copyable {
  enum Payload {
    case node(any TimerNode)
    /// A job that the runtime wants to run at a time, on the loop's task executor.
    case job(UnownedJob)
  }

  private struct Entry {
    var deadline: Int64
    var sequence: UInt64
    var payload: Payload

    @inline(__always)
    static func < (a: Entry, b: Entry) -> Bool {
      a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence
    }
  }

  private var entries: [Entry] = []
  private var nextSequence: UInt64 = 0

  var count: Int { entries.count }
  var isEmpty: Bool { entries.isEmpty }
  /// The earliest deadline, in nanoseconds.
  var earliest: Int64? { entries.first?.deadline }

  mutating func insert(_ payload: Payload, deadline: Int64) {
    entries.append(Entry(deadline: deadline, sequence: nextSequence, payload: payload))
    nextSequence += 1
    siftUp(entries.count - 1)
  }

  /// Takes a node out. No-op if it is not in the heap.
  mutating func remove(_ node: some TimerNode) {
    let index = node.heapIndex
    guard index >= 0 else { return }
    node.heapIndex = -1
    removeEntry(at: index)
  }

  /// Takes out the earliest entry if it is due.
  mutating func popDue(now: Int64) -> Payload? {
    guard let first = entries.first, first.deadline <= now, first.deadline != .max else { return nil }
    if case .node(let node) = first.payload { node.heapIndex = -1 }
    removeEntry(at: 0)
    return first.payload
  }

  /// Takes everything out, earliest first is not promised.
  mutating func removeAll() -> [(payload: Payload, deadline: Int64)] {
    let all = entries.map { (payload: $0.payload, deadline: $0.deadline) }
    for case .node(let node) in all.map(\.payload) { node.heapIndex = -1 }
    entries = []
    return all
  }

  private mutating func removeEntry(at index: Int) {
    let last = entries.removeLast()
    guard index < entries.count else { return }
    place(last, at: index)
    if index > 0 && last < entries[(index - 1) / 4] { siftUp(index) } else { siftDown(index) }
  }

  @inline(__always)
  private mutating func place(_ entry: Entry, at index: Int) {
    entries[index] = entry
    if case .node(let node) = entry.payload { node.heapIndex = index }
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    let entry = entries[index]
    while index > 0 {
      let parent = (index - 1) / 4
      guard entry < entries[parent] else { break }
      place(entries[parent], at: index)
      index = parent
    }
    place(entry, at: index)
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    let entry = entries[index]
    while true {
      let first = index * 4 + 1
      guard first < entries.count else { break }
      var least = first
      for child in first + 1..<max(first + 1, min(first + 4, entries.count)) where entries[child] < entries[least] {
        least = child
      }
      guard entries[least] < entry else { break }
      place(entries[least], at: index)
      index = least
    }
    place(entry, at: index)
  }
}

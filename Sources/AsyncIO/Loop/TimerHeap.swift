// A 4-ary heap by deadline, ties in order of insertion.
//
// - A node knows its place, so a cancelled timer leaves at once: nothing is left behind to be skipped, counted or
//   compacted, and what its callback captured is gone.
// - Four children a node make the heap half as deep as a binary one, and the children of a node share a cache line or
//   two. Entries are plain words in memory of the heap's own: to move one is to copy 24 bytes, without a count of
//   references. An entry owns one reference to its node.
// - The places are kept in the nodes, and a node that moves is a cache miss in a large heap. So a node's place is
//   written once, where its entry comes to rest, and the others on its way once each.
// - Jobs of `Task.sleep` are in the same heap; the runtime never takes one back, so they need no place.

/// Something of the loop that waits for a time in its heap, other than a callback.
class TimerNode {
  /// Place in the heap, -1 when not in it. Kept by the heap.
  @exclusivity(unchecked) final var heapIndex = -1

  /// The time has come. Called in the timer phase, after the node has left the heap.
  func fire() {}
  /// The loop closes before the time has come.
  func drop() {}
}

/// The timers of a loop. Its words are those of the ready queue: a job, a ``TimerHandle``, or a ``TimerNode``.
struct TimerHeap: ~Copyable {
  private struct Entry {
    var deadline: Int64
    var sequence: UInt64
    var word: LoopWord

    @inline(__always)
    static func < (a: Entry, b: Entry) -> Bool {
      a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence
    }
  }

  // Memory of the heap's own, of which the first `count` entries are initialized.
  private var entries: UnsafeMutablePointer<Entry>
  private var capacity = 16
  private(set) var count = 0
  private var nextSequence: UInt64 = 0

  init() { entries = .allocate(capacity: capacity) }

  deinit {
    assert(count == 0, "the close takes every timer out")
    entries.deallocate()
  }

  var isEmpty: Bool { count == 0 }
  /// The earliest deadline, in nanoseconds.
  var earliest: Int64? { count == 0 ? nil : entries[0].deadline }

  /// Takes the reference of the word.
  mutating func insert(_ word: LoopWord, deadline: Int64) {
    if count == capacity { resize(to: capacity * 2) }
    count += 1
    siftUp(Entry(deadline: deadline, sequence: nextSequence, word: word), from: count - 1)
    nextSequence += 1
  }

  /// Takes a node out. No-op if it is not in the heap.
  mutating func remove(_ node: TimerNode) {
    guard node.heapIndex >= 0 else { return }
    _ = removeEntry(at: node.heapIndex).object(TimerNode.self)
  }

  /// Takes a callback out. No-op if it is not in the heap.
  mutating func remove(_ handle: TimerHandle) {
    guard handle.heapIndex >= 0 else { return }
    _ = removeEntry(at: handle.heapIndex).object(TimerHandle.self)
  }

  /// Moves a callback to another time, behind the others of that time. It has to be in the heap.
  mutating func move(_ handle: TimerHandle, to deadline: Int64) {
    let index = handle.heapIndex
    precondition(index >= 0 && index < count)
    let entry = Entry(deadline: deadline, sequence: nextSequence, word: entries[index].word)
    nextSequence += 1
    if entry < entries[index] { siftUp(entry, from: index) } else { siftDown(entry, from: index) }
  }

  /// Takes out the earliest entry if it is due, with its reference.
  mutating func popDue(now: Int64) -> LoopWord? {
    guard count > 0, entries[0].deadline <= now, entries[0].deadline != .max else { return nil }
    return removeEntry(at: 0)
  }

  /// Takes everything out, each with its reference; earliest first is not promised.
  mutating func removeAll() -> [(word: LoopWord, deadline: Int64)] {
    let all = (0..<count).map { index in
      setPlace(-1, of: entries[index].word)
      return (word: entries[index].word, deadline: entries[index].deadline)
    }
    count = 0
    return all
  }

  private mutating func removeEntry(at index: Int) -> LoopWord {
    precondition(index < count)
    let word = entries[index].word
    setPlace(-1, of: word)
    count -= 1
    if index < count {
      let last = entries[count]
      if index > 0 && last < entries[(index - 1) / 4] { siftUp(last, from: index) } else { siftDown(last, from: index) }
    } else if count == 0 {
      // A crowd of timers that has gone leaves no memory behind.
      if capacity > 4096 { resize(to: 16) }
    }
    return word
  }

  /// Tells a node its place.
  @inline(__always)
  private func setPlace(_ index: Int, of word: LoopWord) {
    switch word.rawTag {
    case LoopWord.Tag.handle.rawValue: word.withObject(TimerHandle.self) { $0.heapIndex = index }
    case LoopWord.Tag.node.rawValue: word.withObject(TimerNode.self) { $0.heapIndex = index }
    default: break
    }
  }

  @inline(__always)
  private func place(_ entry: Entry, at index: Int) {
    entries[index] = entry
    setPlace(index, of: entry.word)
  }

  /// Puts an entry at a free place, or above it.
  private func siftUp(_ entry: Entry, from start: Int) {
    var index = start
    while index > 0 {
      let parent = (index - 1) / 4
      guard entry < entries[parent] else { break }
      place(entries[parent], at: index)
      index = parent
    }
    place(entry, at: index)
  }

  /// Puts an entry at a free place, or below it.
  private func siftDown(_ entry: Entry, from start: Int) {
    var index = start
    while true {
      let first = index * 4 + 1
      guard first < count else { break }
      var least = first
      var child = first + 1
      let end = min(first + 4, count)
      while child < end {
        if entries[child] < entries[least] { least = child }
        child += 1
      }
      guard entries[least] < entry else { break }
      place(entries[least], at: index)
      index = least
    }
    place(entry, at: index)
  }

  private mutating func resize(to capacity: Int) {
    entries.reallocate(count: count, capacity: capacity)
    self.capacity = capacity
  }
}

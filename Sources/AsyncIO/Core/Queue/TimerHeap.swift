// A 4-ary heap by deadline, ties in order of insertion.
//
// - A timer knows its slot and the slot its place in the heap, so a cancelled timer leaves at once: nothing is left
//   behind to be skipped, counted or compacted, and what its callback captured is gone.
// - An entry is 16 bytes of plain memory, and the four children of a node are one cache line. Half as deep as a binary
//   heap, it touches a line for each level.
// - When an entry moves, its place has to be recorded, and recording it in an object is a cache miss in a large heap.
//   So places are kept side by side, four bytes each, and objects are touched only when they come and go.
// - Sequence numbers of 32 bits end some day. Then the entries are sorted and numbered anew: a sorted list is a heap.
// - Jobs of `Task.sleep` are in the same heap; the runtime never takes one back, so their slots are not needed.

/// An object of the loop that waits for a time in its heap, other than a callback.
class TimerNode {
  /// Slot in the heap, -1 when not in it. Kept by the heap.
  @exclusivity(unchecked) final var heapSlot: Int32 = -1

  /// Act: the time has come. Called in the timer phase, after the node has left the heap.
  func fire() {}
  /// Act on the close of the loop, which came before the time.
  func drop() {}

  /// What waits, for those who look at the loop.
  var inspected: (what: String, task: UInt?) { ("a time limit", nil) }
}

/// The timers of a loop. Its words are those of the ready queue: a job, a ``TimerHandle``, a ``TimerNode``, or the
/// place of a token.
struct TimerHeap: ~Copyable {
  private struct Entry {
    var deadline: Int64
    /// The upper half decides the order among equal deadlines, the lower half is the slot.
    var rank: UInt64

    @inline(__always)
    init(deadline: Int64, sequence: UInt32, slot: Int) {
      self.deadline = deadline
      rank = UInt64(sequence) << 32 | UInt64(truncatingIfNeeded: slot)
    }

    @inline(__always)
    var slot: Int { Int(truncatingIfNeeded: rank & 0xffff_ffff) }

    @inline(__always)
    static func < (a: Entry, b: Entry) -> Bool {
      a.deadline < b.deadline || (a.deadline == b.deadline && a.rank < b.rank)
    }
  }

  // Memory of the heap's own. All entries but the first are in groups of four, each a cache line; the entries after the
  // last one, as far as there have ever been any, keep the free slots.
  private var entries: UnsafeMutablePointer<Entry>
  /// Index of each slot's entry.
  private var places: UnsafeMutablePointer<UInt32>
  /// What waits in each slot, with its reference.
  private var words: UnsafeMutablePointer<LoopWord>
  private var capacity: Int
  private(set) var count = 0
  /// Slots that were ever in use.
  private var slots = 0
  private var nextSequence: UInt32
  /// The timers without objects.
  var tokens = TimerTokens()

  private static var least: Int { 16 }

  /// - Parameter sequence: the number of the first timer.
  init(sequence: UInt32 = 0) {
    nextSequence = sequence
    capacity = Self.least
    entries = Self.allocateEntries(capacity)
    places = .allocate(capacity: capacity)
    words = .allocate(capacity: capacity)
  }

  deinit {
    assert(count == 0, "the close takes every timer out")
    Self.deallocate(entries)
    places.deallocate()
    words.deallocate()
  }

  var isEmpty: Bool { count == 0 }
  /// The earliest deadline, in nanoseconds.
  var earliest: Int64? { count == 0 ? nil : entries[0].deadline }

  /// Insert a word; takes its reference.
  mutating func insert(_ word: LoopWord, deadline: Int64) {
    if count == capacity { resize(to: capacity * 2) }
    if count == slots {
      entries[count] = Entry(deadline: 0, sequence: 0, slot: slots)
      slots += 1
    }
    assert(!isHere(word), "a timer that waits was inserted again")
    let slot = entries[count].slot
    words[slot] = word
    setSlot(slot, of: word)
    let entry = Entry(deadline: deadline, sequence: takeSequence(), slot: slot)
    count += 1
    siftUp(entry, from: count - 1)
  }

  /// Insert the timer of a token.
  @inline(__always)
  mutating func insert(token place: Int, deadline: Int64) {
    if count == capacity || count == slots { return insert(LoopWord(token: place), deadline: deadline) }
    let slot = entries[count].slot
    words[slot] = LoopWord(token: place)
    tokens.setSlot(Int32(truncatingIfNeeded: slot), of: place)
    count &+= 1
    siftUp(Entry(deadline: deadline, sequence: takeSequence(), slot: slot), from: count &- 1)
  }

  /// Remove a node. Does nothing if it is not in the heap.
  mutating func remove(_ node: TimerNode) {
    guard node.heapSlot >= 0 else { return }
    removeEntry(at: place(of: node.heapSlot)).unmanaged(TimerNode.self).release()
  }

  /// Remove a callback. Does nothing if it is not in the heap.
  mutating func remove(_ handle: TimerHandle) {
    guard handle.heapSlot >= 0 else { return }
    removeEntry(at: place(of: handle.heapSlot)).unmanaged(TimerHandle.self).release()
  }

  /// Remove what is in a slot: the timer of a token.
  mutating func remove(_ slot: Int32) { _ = removeEntry(at: place(of: slot)) }

  /// Move what is in a slot to another time, after the others of that time: the timer of a token.
  mutating func move(_ slot: Int32, to deadline: Int64) { moveEntry(of: slot, to: deadline) }

  /// Move a callback to another time, after the others of that time. It must be in the heap.
  mutating func move(_ handle: TimerHandle, to deadline: Int64) { moveEntry(of: handle.heapSlot, to: deadline) }

  /// Move a node to another time, after the others of that time. It must be in the heap.
  mutating func move(_ node: TimerNode, to deadline: Int64) { moveEntry(of: node.heapSlot, to: deadline) }

  @inline(__always)
  private mutating func moveEntry(of slot: Int32, to deadline: Int64) {
    let sequence = takeSequence()
    let index = place(of: slot)
    let entry = Entry(deadline: deadline, sequence: sequence, slot: Int(slot))
    if entry < entries[index] { siftUp(entry, from: index) } else { siftDown(entry, from: index) }
  }

  /// Take out the earliest entry if it is due, with its reference.
  mutating func popDue(now: Int64) -> LoopWord? {
    guard count > 0, entries[0].deadline <= now, entries[0].deadline != .max else { return nil }
    return removeEntry(at: 0)
  }

  /// Take everything out, each with its reference, in no particular order.
  mutating func removeAll() -> [(word: LoopWord, deadline: Int64)] {
    var all: [(word: LoopWord, deadline: Int64)] = []
    for index in 0..<count {
      let word = words[entries[index].slot]
      setSlot(-1, of: word)
      all.append((word: word, deadline: entries[index].deadline))
    }
    count = 0
    return all
  }

  /// Call the body with the earliest entries, in their order, at most `limit` of them.
  func forEachEarliest(_ limit: Int, _ body: (LoopWord, _ deadline: Int64) -> Void) {
    // The next one is always among the children of those that were taken. They are a heap as well, a binary one: a
    // look at a thousand timers must not hold the loop up.
    var candidates = count > 0 ? [0] : []
    func isLess(_ a: Int, _ b: Int) -> Bool { entries[candidates[a]] < entries[candidates[b]] }
    for _ in 0..<max(0, min(limit, count)) {
      guard let index = candidates.first, let last = candidates.popLast() else { return }
      body(words[entries[index].slot], entries[index].deadline)
      if !candidates.isEmpty {
        candidates[0] = last
        var parent = 0
        while true {
          let left = 2 * parent + 1
          guard left < candidates.count else { break }
          let child = left + 1 < candidates.count && isLess(left + 1, left) ? left + 1 : left
          guard isLess(child, parent) else { break }
          candidates.swapAt(child, parent)
          parent = child
        }
      }
      for child in index * 4 + 1..<index * 4 + 5 where child < count {
        candidates.append(child)
        var place = candidates.count - 1
        while place > 0, isLess(place, (place - 1) / 2) {
          candidates.swapAt(place, (place - 1) / 2)
          place = (place - 1) / 2
        }
      }
    }
  }

  /// Give back the memory of a crowd of timers that has gone, as the loop goes to sleep: not at once, for another one
  /// may come in the same turn.
  @inline(__always)
  mutating func giveMemoryBack() {
    if capacity > 4096 && count == 0 { shrink() }
  }

  @inline(never)
  private mutating func shrink() {
    resize(to: Self.least)
    tokens.giveMemoryBack()
  }

  private mutating func removeEntry(at index: Int) -> LoopWord {
    let slot = entries[index].slot
    assert(index < count && places[slot] == index, "a slot was freed twice")
    let word = words[slot]
    setSlot(-1, of: word)
    count -= 1
    let last = entries[count]
    entries[count] = Entry(deadline: 0, sequence: 0, slot: slot)
    if index < count {
      if index > 0 && last < entries[(index - 1) / 4] { siftUp(last, from: index) } else { siftDown(last, from: index) }
    }
    return word
  }

  @inline(__always)
  private func place(of slot: Int32) -> Int {
    precondition(slot >= 0 && slot < slots)
    return Int(places[Int(slot)])
  }

  /// Tell a waiting object its slot.
  @inline(__always)
  private mutating func setSlot(_ slot: Int, of word: LoopWord) {
    let slot = Int32(truncatingIfNeeded: slot)
    switch word.rawTag {
    case LoopWord.Tag.handle.rawValue: word.withObject(TimerHandle.self) { $0.heapSlot = slot }
    case LoopWord.Tag.node.rawValue: word.withObject(TimerNode.self) { $0.heapSlot = slot }
    case LoopWord.Tag.token.rawValue: tokens.setSlot(slot, of: word.place)
    default: break
    }
  }

  /// True for an object that knows a slot. For assertions.
  private func isHere(_ word: LoopWord) -> Bool {
    switch word.tag {
    case .handle: word.unmanaged(TimerHandle.self)._withUnsafeGuaranteedRef { $0.heapSlot >= 0 }
    case .node: word.unmanaged(TimerNode.self)._withUnsafeGuaranteedRef { $0.heapSlot >= 0 }
    default: false
    }
  }

  @inline(__always)
  private func put(_ entry: Entry, at index: Int) {
    entries[index] = entry
    places[entry.slot] = UInt32(truncatingIfNeeded: index)
  }

  /// Put an entry at a free place, or above it.
  private func siftUp(_ entry: Entry, from start: Int) {
    var index = start
    while index > 0 {
      let parent = (index &- 1) / 4
      guard entry < entries[parent] else { break }
      put(entries[parent], at: index)
      index = parent
    }
    put(entry, at: index)
  }

  /// Put an entry at a free place, or below it.
  private func siftDown(_ entry: Entry, from start: Int) {
    var index = start
    while true {
      let first = index &* 4 &+ 1
      guard first < count else { break }
      let least = first &+ 4 <= count ? leastOfFour(from: first) : leastOfSome(from: first)
      guard entries[least] < entry else { break }
      put(entries[least], at: index)
      index = least
    }
    put(entry, at: index)
  }

  /// The branch predictor cannot guess which child is the least: three comparisons without a jump.
  @inline(__always)
  private func leastOfFour(from first: Int) -> Int {
    let left = entries[first &+ 1] < entries[first] ? first &+ 1 : first
    let right = entries[first &+ 3] < entries[first &+ 2] ? first &+ 3 : first &+ 2
    return entries[right] < entries[left] ? right : left
  }

  private func leastOfSome(from first: Int) -> Int {
    var least = first
    for child in first &+ 1..<count where entries[child] < entries[least] { least = child }
    return least
  }

  /// The number of the next entry.
  @inline(__always)
  private mutating func takeSequence() -> UInt32 {
    if nextSequence == .max { renumber() }
    defer { nextSequence += 1 }
    return nextSequence
  }

  private mutating func renumber() {
    var all = UnsafeMutableBufferPointer(start: entries, count: count)
    all.sort(by: <)
    for index in 0..<count {
      put(Entry(deadline: entries[index].deadline, sequence: UInt32(index), slot: entries[index].slot), at: index)
    }
    nextSequence = UInt32(count)
  }

  private mutating func resize(to capacity: Int) {
    precondition(capacity <= Int(Int32.max))
    let larger = Self.allocateEntries(capacity)
    larger.moveInitialize(from: entries, count: count)
    Self.deallocate(entries)
    entries = larger
    places.reallocate(count: count, capacity: capacity)
    words.reallocate(count: count, capacity: capacity)
    self.capacity = capacity
    slots = count
  }

  /// The first entry is the last of its cache line, so that the next one begins another.
  private static func allocateEntries(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
    UnsafeMutableRawPointer.allocate(byteCount: (capacity + 3) * 16, alignment: 64)
      .advanced(by: 48).assumingMemoryBound(to: Entry.self)
  }

  private static func deallocate(_ entries: UnsafeMutablePointer<Entry>) {
    (UnsafeMutableRawPointer(entries) - 48).deallocate()
  }
}

// Timers without objects.
//
// A timer of `callAt` is an object with an atomic state, because any thread may cancel it. Most timers are set and
// cancelled in the loop's thread, a time limit with every request: for them a number is enough, which names a place in
// a table of the loop. The traps:
//
// - A place is used again. The number of its use is part of the token, odd while a timer has it, so an old token names
//   nothing. The numbers go on when the table has given its memory back.
// - A timer that is due waits in the queue for its turn, and a cancel that comes before its callback still wins. So the
//   place is free only when the queue has come to it.
// - What a callback captured may use the loop as it goes. So callbacks are given to the caller, and go there.

/// A timer of ``BaseEventLoop/setTimer(at:_:)``: a value that only its loop understands. Once the callback has begun,
/// or the timer was cancelled, it names nothing.
public struct TimerToken: Hashable, Sendable {
  let loop: UInt32
  let place: UInt32
  let use: UInt32
}

/// The callbacks of tokens. Loop thread only.
struct TimerTokens: ~Copyable {
  typealias Callback = () throws -> Void

  private struct Entry {
    var callback: Callback?
    var use: UInt32
    /// The slot in the heap while it waits; of a free place, the next free one.
    var link: Int32 = -1
  }

  /// The link of a timer that is due: it is in the queue.
  private static var due: Int32 { -1 }
  /// The link of one that was cancelled there.
  private static var dropped: Int32 { -2 }

  private var entries: UnsafeMutablePointer<Entry>?
  private var capacity = 0
  /// Places that were ever in use, and those that are.
  private var count = 0
  private var inUse = 0
  private var firstFree: Int32 = -1
  /// The highest use number among places whose memory was given back; always even.
  private var lastUse: UInt32 = 0

  deinit {
    assert(inUse == 0, "the close takes every timer out")
    entries?.deinitialize(count: count)
    entries?.deallocate()
  }

  /// Take a place for the callback.
  @inline(__always)
  mutating func add(_ callback: consuming @escaping Callback) -> (place: Int, use: UInt32) {
    if firstFree < 0 { makeRoom() }
    let place = Int(firstFree)
    let entry = entries! + place
    firstFree = entry.pointee.link
    inUse += 1
    entry.pointee.callback = consume callback
    entry.pointee.use &+= 1
    assert(entry.pointee.use % 2 == 1, "a place was used twice")
    return (place, entry.pointee.use)
  }

  /// Make a free place, the first of all.
  @inline(never)
  private mutating func makeRoom() {
    if count == capacity {
      let larger = max(16, capacity * 2)
      precondition(larger <= Int(Int32.max))
      if entries == nil { entries = .allocate(capacity: larger) }
      entries!.reallocate(count: count, capacity: larger)
      capacity = larger
    }
    (entries! + count).initialize(to: Entry(callback: nil, use: lastUse))
    firstFree = Int32(truncatingIfNeeded: count)
    count += 1
  }

  /// Return the slot in the heap of the timer that the token names; nil if it is not there.
  @inline(__always)
  func slot(of token: TimerToken) -> Int32? {
    guard let entry = entry(of: token), entry.pointee.link >= 0 else { return nil }
    return entry.pointee.link
  }

  @inline(__always)
  private func entry(of token: TimerToken) -> UnsafeMutablePointer<Entry>? {
    guard Int(token.place) < count, let entries, entries[Int(token.place)].use == token.use else { return nil }
    return entries + Int(token.place)
  }

  /// Note the slot in the heap; -1 when the timer has left it.
  @inline(__always)
  mutating func setSlot(_ slot: Int32, of place: Int) { entries![place].link = slot }

  /// Drop a timer that is due and has not run. Returns its callback; nil if the token names none.
  mutating func drop(_ token: TimerToken) -> Callback? {
    guard let entry = entry(of: token), entry.pointee.link == Self.due else { return nil }
    entry.pointee.link = Self.dropped
    return entry.pointee.callback.take()
  }

  /// Give a place back. Returns its callback; nil if it was dropped.
  @inline(__always)
  mutating func remove(_ place: Int) -> Callback? {
    let entry = entries! + place
    assert(entry.pointee.use % 2 == 1, "a place was given back twice")
    entry.pointee.use &+= 1
    entry.pointee.link = firstFree
    firstFree = Int32(truncatingIfNeeded: place)
    inUse -= 1
    return entry.pointee.callback.take()
  }

  /// Give the memory back that a crowd of timers has left.
  mutating func giveMemoryBack() {
    guard inUse == 0 else { return }
    for place in 0..<count { lastUse = max(lastUse, entries![place].use) }
    entries?.deinitialize(count: count)
    entries?.deallocate()
    (entries, capacity, count, firstFree) = (nil, 0, 0, -1)
  }
}

extension Inbox {
  /// What was posted, in memory of the inbox's own: filled by producers, and exchanged for an empty one by the loop. A
  /// callback without a handle is two words of its own, beside the others.
  struct Words: ~Copyable {
    private(set) var count = 0
    private var capacity: Int
    private var words: UnsafeMutablePointer<UInt>
    private var callbackCount = 0
    private var callbackCapacity = 0
    private var callbacks: UnsafeMutablePointer<PostedCallback>?

    init(capacity: Int = 64) {
      self.capacity = capacity
      words = .allocate(capacity: capacity)
    }

    deinit {
      assert(callbackCount == 0, "a callback that was posted was lost")
      words.deallocate()
      callbacks?.deallocate()
    }

    subscript(index: Int) -> UInt { words[index] }

    @inline(__always)
    mutating func append(_ word: UInt) {
      if count == capacity { resize(to: max(64, capacity * 2)) }
      words[count] = word
      count += 1
    }

    @inline(__always)
    mutating func append(_ callback: consuming PostedCallback) {
      if callbackCount == callbackCapacity { resizeCallbacks(to: max(64, callbackCapacity * 2)) }
      (callbacks! + callbackCount).initialize(to: callback)
      callbackCount += 1
      append(LoopWord.posted.bits)
    }

    /// Move all callbacks to where they wait for their words.
    mutating func moveCallbacks(to other: inout PostedCallbacks) {
      guard callbackCount > 0, let callbacks else { return }
      other.append(moving: callbacks, count: callbackCount)
      callbackCount = 0
    }

    /// Remove all words. A burst that has gone leaves no memory behind.
    mutating func removeAll() {
      assert(callbackCount == 0, "a callback that was posted was lost")
      count = 0
      if capacity > 1 << 16 { resize(to: 64) }
      if callbackCapacity > 1 << 15 { resizeCallbacks(to: 64) }
    }

    private mutating func resize(to capacity: Int) {
      words.reallocate(count: count, capacity: capacity)
      self.capacity = capacity
    }

    private mutating func resizeCallbacks(to capacity: Int) {
      if callbacks == nil { callbacks = .allocate(capacity: capacity) }
      callbacks!.reallocate(count: callbackCount, capacity: capacity)
      callbackCapacity = capacity
    }
  }
}

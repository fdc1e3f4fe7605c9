/// A callback without a handle. In a struct, because a closure by itself would be wrapped in another one, on the heap,
/// on its way into memory of a generic type.
struct PostedCallback {
  let run: () throws -> Void
}

/// Callbacks without handles that wait in the loop's queue, in their order: a word in the queue says that the next one
/// of these is due. A closure is two words and the queue has room for one. Loop thread only.
struct PostedCallbacks: ~Copyable {
  /// A burst that has gone leaves no more than this.
  private static var most: Int { 1 << 15 }

  private var storage: UnsafeMutablePointer<PostedCallback>?
  private var capacity = 0
  private var head = 0
  private var tail = 0

  deinit {
    assert(head == tail, "the close takes every callback out")
    storage?.deallocate()
  }

  @inline(__always)
  mutating func append(_ callback: consuming PostedCallback) {
    if tail == capacity { makeRoom(1) }
    (storage! + tail).initialize(to: callback)
    tail += 1
  }

  /// Move callbacks here, whose memory is no longer initialized then.
  mutating func append(moving callbacks: UnsafeMutablePointer<PostedCallback>, count: Int) {
    if tail + count > capacity { makeRoom(count) }
    (storage! + tail).moveInitialize(from: callbacks, count: count)
    tail += count
  }

  /// Take the first one out.
  @inline(__always)
  mutating func removeFirst() -> PostedCallback {
    assert(head < tail, "a callback that was posted was lost")
    let callback = (storage! + head).move()
    head += 1
    if head == tail { removeAll() }
    return callback
  }

  @inline(__always)
  private mutating func removeAll() {
    (head, tail) = (0, 0)
    if capacity > Self.most {
      storage?.deallocate()
      (storage, capacity) = (nil, 0)
    }
  }

  @inline(never)
  private mutating func makeRoom(_ more: Int) {
    let count = tail - head
    let larger = max(64, capacity * 2, count + more)
    let fresh = UnsafeMutablePointer<PostedCallback>.allocate(capacity: larger)
    if let storage {
      fresh.moveInitialize(from: storage + head, count: count)
      storage.deallocate()
    }
    (storage, capacity, head, tail) = (fresh, larger, 0, count)
  }
}

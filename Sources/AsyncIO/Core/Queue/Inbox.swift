internal import CAsyncIO
internal import Synchronization

/// How other threads reach a loop: words under a lock, and at most one wake-up per sleep.
///
/// The traps, and what is done:
/// - *Lost wake-up.* The loop announces that it will sleep and then checks `hasPosts` once more; a producer sets
///   `hasPosts` and then checks whether the loop sleeps. Both use sequentially consistent operations, so one of them
///   sees the other.
/// - *A storm of wake-ups.* The first producer of a burst takes the announcement back; the others find it gone.
/// - *A convoy.* Many producers want the lock at once; it is a mutex that is not handed from one thread to the next.
/// - *A wake-up after the close*, into a descriptor number that may be another file's by then. The wake-up is sent
///   under the lock that the close also takes.
///
/// The unchecked conformance is right because what threads share is atomic or behind the mutex.
struct Inbox: ~Copyable, @unchecked Sendable {
  /// What was posted, in memory of the inbox's own: filled by producers, and exchanged for an empty one by the loop. A
  /// callback without a handle is two words, which do not fit among the others: they wait beside them.
  struct Words: ~Copyable {
    private(set) var count = 0
    private var capacity: Int
    private var words: UnsafeMutablePointer<UInt>
    private var callbacks = FirstInFirstOut<PostedCallback>()

    init(capacity: Int = 64) {
      self.capacity = capacity
      words = .allocate(capacity: capacity)
    }

    deinit { words.deallocate() }

    subscript(index: Int) -> UInt { words[index] }

    @inline(__always)
    mutating func append(_ word: UInt) {
      if count == capacity { resize(to: max(64, capacity * 2)) }
      words[count] = word
      count += 1
    }

    @inline(__always)
    mutating func append(_ callback: consuming PostedCallback) {
      callbacks.append(callback)
      append(LoopWord.posted.bits)
    }

    /// Move the callbacks to where they wait for their words, behind those that are there.
    mutating func moveCallbacks(to waiting: inout FirstInFirstOut<PostedCallback>) {
      if waiting.isEmpty { return swap(&waiting, &callbacks) }
      while let callback = callbacks.popFirst() { waiting.append(callback) }
    }

    /// Remove all words, whose callbacks were moved. A burst that has gone leaves no memory behind.
    mutating func removeAll() {
      assert(callbacks.isEmpty, "a callback that was posted was lost")
      count = 0
      if capacity > 1 << 16 { resize(to: 64) }
    }

    private mutating func resize(to capacity: Int) {
      words.reallocate(count: count, capacity: capacity)
      self.capacity = capacity
    }
  }

  private struct Contents: ~Copyable {
    var words = Words()
    var isClosed = false
  }

  // In memory of its own and touched under the mutex only: the compiler may not assume exclusive access to a place that
  // it knows only by a pointer, as it may with a stored property that a method changes.
  private let contents = UnsafeMutablePointer<Contents>.allocate(capacity: 1)
  private let mutex = casyncio_mutex_make()
  private let hasPostsFlag = Atomic<Bool>(false)
  private let sleeping = Atomic<Bool>(false)

  init() { contents.initialize(to: Contents()) }

  deinit {
    contents.deinitialize(count: 1)
    contents.deallocate()
    casyncio_mutex_free(mutex)
  }

  /// Add a word from any thread. Returns `false` if the loop is closed and the word was not taken.
  borrowing func post(_ word: LoopWord, wake: () -> Void) -> Bool {
    casyncio_mutex_lock(mutex)
    defer { casyncio_mutex_unlock(mutex) }
    guard !contents.pointee.isClosed else { return false }
    contents.pointee.words.append(word.bits)
    announcePost(wake)
    return true
  }

  /// Add a callback that has no handle from any thread. Returns `false` if the loop is closed.
  borrowing func post(_ callback: consuming PostedCallback, wake: () -> Void) -> Bool {
    casyncio_mutex_lock(mutex)
    guard !contents.pointee.isClosed else {
      // What it captured goes after the lock: that may be code which posts.
      casyncio_mutex_unlock(mutex)
      return false
    }
    contents.pointee.words.append(callback)
    announcePost(wake)
    casyncio_mutex_unlock(mutex)
    return true
  }

  @inline(__always)
  private borrowing func announcePost(_ wake: () -> Void) {
    // The thread that set the flag has looked whether the loop sleeps, and with the flag set it does not go to sleep.
    if hasPostsFlag.load(ordering: .relaxed) { return }
    hasPostsFlag.store(true, ordering: .sequentiallyConsistent)
    if sleeping.load(ordering: .sequentiallyConsistent), sleeping.exchange(false, ordering: .sequentiallyConsistent) {
      wake()
    }
  }

  /// Announce that the loop is about to wait. Returns `false` if something is already here: do not wait.
  @inline(__always)
  borrowing func announceSleep() -> Bool {
    sleeping.store(true, ordering: .sequentiallyConsistent)
    if hasPostsFlag.load(ordering: .sequentiallyConsistent) {
      sleeping.store(false, ordering: .relaxed)
      return false
    }
    return true
  }

  /// Note the end of the wait. If a producer was faster, its wake-up is already spent or will end the next wait early.
  @inline(__always)
  borrowing func endSleep() { sleeping.store(false, ordering: .relaxed) }

  @inline(__always)
  var hasPosts: Bool { hasPostsFlag.load(ordering: .acquiring) }

  /// Take everything posted so far; `spare`, which is empty, becomes the next storage, so that steady traffic allocates
  /// nothing.
  borrowing func take(spare: inout Words) {
    assert(spare.count == 0)
    casyncio_mutex_lock(mutex)
    defer { casyncio_mutex_unlock(mutex) }
    hasPostsFlag.store(false, ordering: .sequentiallyConsistent)
    swap(&contents.pointee.words, &spare)
  }

  /// Look at the words that are here, until the body returns `false`. The body posts nothing.
  borrowing func look(_ body: (UInt) -> Bool) -> Bool {
    casyncio_mutex_lock(mutex)
    defer { casyncio_mutex_unlock(mutex) }
    return (0..<contents.pointee.words.count).allSatisfy { body(contents.pointee.words[$0]) }
  }

  /// Refuse what comes from here on, and return what is left.
  borrowing func close() -> Words {
    casyncio_mutex_lock(mutex)
    defer { casyncio_mutex_unlock(mutex) }
    contents.pointee.isClosed = true
    // Intakes outlive their loops, perhaps for long.
    var left = Words(capacity: 0)
    swap(&contents.pointee.words, &left)
    return left
  }
}

/// A callback without a handle. In a struct, because a closure by itself would be wrapped in another one, on the heap,
/// on its way into memory of a generic type.
struct PostedCallback {
  let run: () throws -> Void
}

/// A rare request of another thread to a loop; it runs in the loop's thread when the inbox is emptied.
final class PostedAction: @unchecked Sendable {
  // Right because the word that carries the action is its only user.
  let run: (BaseEventLoop) -> Void
  /// Runs instead when the loop closes first.
  let dropped: () -> Void

  init(_ run: sending @escaping (BaseEventLoop) -> Void, dropped: sending @escaping () -> Void = {}) {
    self.run = run
    self.dropped = dropped
  }
}

internal import Synchronization

/// How other threads reach a loop: words under a lock, and at most one wake-up per sleep.
///
/// The traps, and what is done:
/// - *Lost wake-up.* The loop announces that it will sleep and then looks at `hasPosts` once more; a producer sets
///   `hasPosts` and then looks whether the loop sleeps. Both use sequentially consistent operations, so one of them
///   sees the other.
/// - *A storm of wake-ups.* The first producer of a burst takes the announcement back; the others find it gone.
/// - *A wake-up after the close*, into a descriptor number that is somebody else's by then. The wake-up is sent under
///   the lock that the close takes, too.
struct Inbox: ~Copyable {
  // Not private: the compiler (6.3.1) emits a broken module for a private type inside a mutex of another file's class.
  struct Contents {
    var words: [UInt] = []
    var isClosed = false
  }

  private let contents = Lock(Contents())
  private let hasPostsFlag = Atomic<Bool>(false)
  private let sleeping = Atomic<Bool>(false)

  /// Adds a word from any thread. `false`: the loop is closed and the word was not taken.
  borrowing func post(_ word: LoopWord, wake: () -> Void) -> Bool {
    contents.withLock { contents in
      guard !contents.isClosed else { return false }
      contents.words.append(word.bits)
      hasPostsFlag.store(true, ordering: .sequentiallyConsistent)
      if sleeping.exchange(false, ordering: .sequentiallyConsistent) { wake() }
      return true
    }
  }

  /// The loop is about to wait. `false`: something is here already, do not wait.
  @inline(__always)
  borrowing func announceSleep() -> Bool {
    sleeping.store(true, ordering: .sequentiallyConsistent)
    if hasPostsFlag.load(ordering: .sequentiallyConsistent) {
      sleeping.store(false, ordering: .relaxed)
      return false
    }
    return true
  }

  /// The wait is over. If a producer was faster its wake-up is spent already or will end the next wait early.
  @inline(__always)
  borrowing func endSleep() { sleeping.store(false, ordering: .relaxed) }

  @inline(__always)
  var hasPosts: Bool { hasPostsFlag.load(ordering: .acquiring) }

  /// Takes everything posted so far; `spare` becomes the next storage, so that steady traffic allocates nothing.
  borrowing func take(spare: inout [UInt]) {
    spare.removeAll(keepingCapacity: true)
    contents.withLock { contents in
      hasPostsFlag.store(false, ordering: .sequentiallyConsistent)
      swap(&contents.words, &spare)
    }
  }

  /// Refuses what comes from here on and returns what is left.
  borrowing func close() -> [UInt] {
    contents.withLock { contents in
      contents.isClosed = true
      defer { contents.words = [] }
      return contents.words
    }
  }
}

/// Something rare that another thread asks of a loop; it runs in the loop's thread when the inbox is emptied.
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

internal import CAsyncIO

/// The part of a loop that outlives it, and what a thread-local word points to while the loop runs in the thread.
/// Executors hold this, so a job that comes after the loop is gone finds a closed inbox instead of freed memory.
///
/// The unchecked conformance is right because the inbox locks, and the core is followed only in the thread that runs
/// the loop, where the loop is alive.
final class LoopIntake: @unchecked Sendable {
  private var unmanagedCore: Unmanaged<BaseEventLoop>!
  let inbox = Inbox()
  /// For waking. Followed under the lock of an inbox that is not closed; released at the close, as executors may live
  /// on.
  private var backend: (any IOBackend)?

  init(_ backend: any IOBackend) { self.backend = backend }

  /// Attach the loop; once, while the loop is made.
  func attach(_ core: BaseEventLoop) { unmanagedCore = .passUnretained(core) }

  /// The intake whose loop runs in this thread.
  static var running: LoopIntake? {
    guard let word = casyncio_running_loop() else { return nil }
    return Unmanaged<LoopIntake>.fromOpaque(word).takeUnretainedValue()
  }

  /// The loop; only where it is known to be alive, as in the thread that runs it.
  var core: BaseEventLoop { unmanagedCore.takeUnretainedValue() }

  /// Do something with the loop in the thread that runs it, without a retain of the loop.
  @inline(__always)
  func withCore<Result>(_ body: (BaseEventLoop) -> Result) -> Result { unmanagedCore._withUnsafeGuaranteedRef(body) }

  /// Queue a job in the thread that runs the loop, without a retain of the loop.
  @inline(__always)
  func push(_ word: LoopWord) {
    withCore { core in
      core.assertLoopThread()
      core.ready.push(word)
    }
  }

  @inline(__always)
  var isRunningInThisThread: Bool {
    casyncio_running_loop() == Unmanaged.passUnretained(self).toOpaque()
  }

  /// Called for posts from threads that do not run the loop while it runs. Set while the loop is made.
  var foreignPost: (@Sendable () -> Void)?

  /// True if jobs that come after the close are put away. Set in the loop's thread before the close, and read after it:
  /// a refused post has had the inbox's lock.
  var putsLateJobsAway = false

  /// True if the loop is one of those that have the process together, see ``LoopRouter``. Set before it runs.
  var isMember = false

  /// True if the loop has, or had, the whole process, or the main actor of several. Set before it runs.
  var hasProcess = false

  /// Post a word from any thread. Returns `false` if the loop is closed.
  func post(_ word: LoopWord) -> Bool {
    if let foreignPost, !isRunningInThisThread { foreignPost() }
    return inbox.post(word) { backend?.wake() }
  }

  /// Post an object from any thread, with a reference of the word's own, which a refusal gives back. Returns `false` if
  /// the loop is closed.
  func post(_ object: some AnyObject, _ tag: LoopWord.Tag) -> Bool {
    if post(LoopWord(object, tag)) { return true }
    Unmanaged.passUnretained(object).release()
    return false
  }

  /// Do something in the loop's thread; nothing if the loop is closed.
  func post(_ body: sending @escaping (BaseEventLoop) -> Void) {
    _ = post(PostedAction(body), .action)
  }

  /// Post a callback from any thread, without a handle. Returns `false` if the loop is closed.
  @inline(__always)
  func post(_ callback: consuming PostedCallback) -> Bool {
    if let foreignPost, !isRunningInThisThread { foreignPost() }
    return inbox.post(callback) { backend?.wake() }
  }

  /// Refuse what comes from here on, and return what is left.
  func close() -> Inbox.Words {
    let left = inbox.close()
    backend = nil
    return left
  }
}

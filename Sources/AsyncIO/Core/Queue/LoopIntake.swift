internal import CAsyncIO

/// The part of a loop that outlives it, and what a thread-local word points to while the loop runs in the thread.
/// Executors hold this, so a job that comes after the loop is gone finds a closed inbox and not freed memory.
///
/// The unchecked conformance is right because the inbox locks, and the core is followed only in the thread that runs
/// the loop, where the loop is alive.
final class LoopIntake: @unchecked Sendable {
  private var unmanagedCore: Unmanaged<BaseEventLoop>!
  let inbox = Inbox()
  /// For waking. Followed under the lock of an inbox that is not closed; gone with the close, as executors may live on.
  private var backend: (any IOBackend)?

  init(_ backend: any IOBackend) { self.backend = backend }

  /// Names the loop; once, while the loop is made.
  func attach(_ core: BaseEventLoop) { unmanagedCore = .passUnretained(core) }

  /// The one whose loop runs in this thread.
  static var running: LoopIntake? {
    guard let word = casyncio_running_loop() else { return nil }
    return Unmanaged<LoopIntake>.fromOpaque(word).takeUnretainedValue()
  }

  /// The loop; only where it is known to be alive, as in the thread that runs it.
  var core: BaseEventLoop { unmanagedCore.takeUnretainedValue() }

  /// Does something with the loop in the thread that runs it, without a retain of the loop.
  @inline(__always)
  func withCore<Result>(_ body: (BaseEventLoop) -> Result) -> Result { unmanagedCore._withUnsafeGuaranteedRef(body) }

  /// Queues a job in the thread that runs the loop, without a retain of the loop.
  @inline(__always)
  func push(_ word: LoopWord) { withCore { $0.ready.push(word) } }

  @inline(__always)
  var isRunningInThisThread: Bool {
    casyncio_running_loop() == Unmanaged.passUnretained(self).toOpaque()
  }

  /// Is told of posts from threads that do not run the loop while it runs. Set while the loop is made.
  var foreignPost: (@Sendable () -> Void)?

  /// Jobs that come after the close are put away. Set in the loop's thread before the close, and looked at behind it: a
  /// post that is refused has had the inbox's lock.
  var putsLateJobsAway = false

  /// The loop is one of those that have the process together, see ``LoopRouter``. Set before it runs.
  var isMember = false

  /// The loop has, or had, the whole process, or the main actor of several. Set before it runs.
  var hasProcess = false

  /// Posts a word from any thread. `false`: the loop is closed.
  func post(_ word: LoopWord) -> Bool {
    if let foreignPost, !isRunningInThisThread { foreignPost() }
    return inbox.post(word) { backend?.wake() }
  }

  /// Posts an object from any thread, with a reference of the word's own, which a refusal gives back. `false`: the loop
  /// is closed.
  func post(_ object: some AnyObject, _ tag: LoopWord.Tag) -> Bool {
    if post(LoopWord(object, tag)) { return true }
    Unmanaged.passUnretained(object).release()
    return false
  }

  /// Does something in the loop's thread; nothing if the loop is closed.
  func post(_ body: sending @escaping (BaseEventLoop) -> Void) {
    _ = post(PostedAction(body), .action)
  }

  /// Refuses what comes from here on and returns what is left.
  func close() -> [UInt] {
    let left = inbox.close()
    backend = nil
    return left
  }
}

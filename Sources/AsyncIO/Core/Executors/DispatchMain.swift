internal import CAsyncIO
internal import Logging
internal import Synchronization

/// The main queue of Dispatch in a process that a loop has: nobody but the loop's thread may serve it, so the loop
/// watches the descriptor that Dispatch has for this, and does what is queued in a callback of a turn. How that goes is
/// Dispatch's own affair and promised nowhere; so the first thing that is queued is a question of ours, and if it is not
/// answered the queue is left alone, with a line in the log.
enum DispatchMain {
  /// The question was answered: what the queue has is done by the loop.
  private static let isServed = Atomic<Bool>(false)
  /// Once for the process.
  private static let hasFailed = Atomic<Bool>(false)

  /// Lets a loop that has the process, and is about to run in the main thread, serve the queue until it is closed. Does
  /// nothing where that cannot be, or `ASYNCIO_DISPATCH_MAIN` is 0.
  static func serve(by loop: BaseEventLoop) {
    guard Environment.servesDispatchMain, !hasFailed.load(ordering: .relaxed),
      loop.capabilities.contains([.descriptorWatches, .systemDescriptors])
    else { return }
    let handle = casyncio_dispatch_main_handle()
    guard handle >= 0 else { return }
    do {
      // Unowned: the watch goes with the loop.
      try loop.addReader(handle, site: CallSite()) { [unowned loop] in
        casyncio_dispatch_main_drain(handle)
        if !isServed.load(ordering: .relaxed) { giveUp(handle, loop) }
      }
    } catch {
      return
    }
    // It also makes the descriptor readable for what was queued before anybody asked for it.
    if !isServed.load(ordering: .relaxed) {
      casyncio_dispatch_main_enqueue({ _ in DispatchMain.isServed.store(true, ordering: .relaxed) }, nil)
    }
  }

  private static func giveUp(_ handle: Int32, _ loop: BaseEventLoop) {
    hasFailed.store(true, ordering: .relaxed)
    _ = try? loop.removeReader(handle)
    loop.logger.warning(
      "DispatchQueue.main is not served: this Dispatch works differently. Use the main actor, or callSoon."
    )
  }
}

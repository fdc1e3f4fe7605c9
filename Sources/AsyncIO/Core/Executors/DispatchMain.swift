internal import CAsyncIO
internal import Logging
internal import Synchronization

/// The main queue of Dispatch in a process that a loop has. Only the loop's thread may serve it, so the loop watches
/// the descriptor that Dispatch has for this, and does what is queued in a callback of a turn. How that works is
/// internal to Dispatch and not promised; so the first thing that is queued is a probe of ours, and if it does not run,
/// the queue is left alone, with a line in the log.
enum DispatchMain {
  /// True if the probe ran: the loop does what is queued.
  private static let isServed = Atomic<Bool>(false)
  /// Set once for the process.
  private static let hasFailed = Atomic<Bool>(false)

  /// Let a loop that has the process, and is about to run in the main thread, serve the queue until it is closed. Does
  /// nothing if that is impossible, or if `ASYNCIO_DISPATCH_MAIN` is 0.
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
    // The probe also makes the descriptor readable for what was queued before it was opened.
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

internal import CAsyncIO
internal import Synchronization

// Ctrl-C in a program that has an event loop. The signal's own action kills the program in the middle of its work, so a
// run that may takes the signal over for its time and gives it to its main task as a cancellation.
//
// - Only in the main thread, and only where SIGINT still has its default action: a program or a terminal that has
//   decided otherwise stays as it is. What is put there meanwhile, `addSignalHandler` for instance, wins.
// - Not by the dispatcher of `addSignalHandler`: that costs a thread, which a process run does not have else. The
//   handler counts and wakes the loop by a descriptor that the loop watches while it runs.
// - Nothing can be thrown into code that blocks the thread. So the second signal brings the default action back in the
//   handler itself, and a third one ends a program whose loop does not turn any more.
// - The descriptor is never closed. A handler that runs in another thread may be about to write into it.

/// SIGINT for the time of one run: the first cancels the main task, the second ends the run.
final class Interruption: Sendable {
  private struct Wake {
    var descriptor: WakeDescriptor
    var process: UInt64
  }

  private static let wake = Lock<Wake?>(nil)

  private let loop: any EventLoop
  private let readEnd: Int32
  /// Signals that the run was told of.
  private let told = Atomic<Int>(0)

  private init(_ loop: any EventLoop, _ readEnd: Int32) {
    self.loop = loop
    self.readEnd = readEnd
  }

  /// Takes the signal over for a run in this thread that is about to begin; nil if it may not, or cannot.
  ///
  /// - Parameter cancel: what the first signal does, in the loop's thread; `false` if there was nothing to cancel.
  static func begin(on loop: any EventLoop, _ cancel: @escaping @Sendable (String) -> Bool) -> Interruption? {
    guard casyncio_is_main_thread() != 0, let wake = descriptor() else { return nil }
    wake.drain()
    guard SignalDispatcher.serialised({ casyncio_interrupt_install(wake.writeEnd) }) == 1 else { return nil }
    let interruption = Interruption(loop, wake.readEnd)
    do {
      try loop.addReader(wake.readEnd) { [unowned interruption] in
        wake.drain()
        try interruption.pass(to: cancel)
      }
    } catch {
      SignalDispatcher.serialised { casyncio_interrupt_restore() }
      return nil
    }
    return interruption
  }

  /// One descriptor for the process: the child of a fork needs its own, the inherited one wakes the parent.
  private static func descriptor() -> WakeDescriptor? {
    wake.withLock { wake in
      if let wake, wake.process == casyncio_fork_generation() { return wake.descriptor }
      guard let descriptor = try? WakeDescriptor() else { return nil }
      wake = Wake(descriptor: descriptor, process: casyncio_fork_generation())
      return descriptor
    }
  }

  private func pass(to cancel: (String) -> Bool) throws {
    let count = Int(casyncio_interrupt_count())
    let before = told.exchange(count, ordering: .relaxed)
    guard count > before else { return }
    if count == 1, cancel("interrupted by the user") { return }
    throw KeyboardInterrupt()
  }

  /// True if a signal has cancelled the main task.
  var hasCancelled: Bool { told.load(ordering: .relaxed) > 0 }

  /// The run is over: gives the signal back, unless its action is somebody else's by now. `true`: a signal came too
  /// late for the loop to see it.
  func end() -> Bool {
    SignalDispatcher.serialised { casyncio_interrupt_restore() }
    _ = try? loop.removeReader(readEnd)
    return Int(casyncio_interrupt_count()) > told.load(ordering: .relaxed)
  }
}

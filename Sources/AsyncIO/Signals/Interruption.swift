internal import CAsyncIO
internal import Synchronization

// Ctrl-C in a program that has an event loop. The signal's own action kills the program in the middle of its work. So a
// run that may do so takes over the signal while it lasts, and turns it into a cancellation of its main task.
//
// - Only in the main thread, and only if SIGINT still has its default action: if a program or a terminal has decided
//   otherwise, its decision stands. An action that is installed meanwhile, for instance by `addSignalHandler`, wins.
// - Not by the dispatcher of `addSignalHandler`: that costs a thread, which a process run does not need otherwise. The
//   handler counts, and wakes the loop by a descriptor that the loop watches while it runs.
// - Nothing can be thrown into code that blocks the thread. So the second signal restores the default action in the
//   handler itself, and a third one ends a program whose loop no longer turns.
// - The descriptor is never closed: a handler in another thread may be about to write into it.

/// SIGINT during one run: the first signal cancels the main task, the second ends the run.
final class Interruption: Sendable {
  private struct Wake {
    var descriptor: WakeDescriptor
    var process: UInt64
  }

  private static let wake = Lock<Wake?>(nil)

  private let loop: any EventLoop
  private let readEnd: Int32
  /// The number of signals that the run was told of.
  private let told = Atomic<Int>(0)

  private init(_ loop: any EventLoop, _ readEnd: Int32) {
    self.loop = loop
    self.readEnd = readEnd
  }

  /// Take over the signal for a run that is about to begin in this thread; nil if it may not, or cannot.
  ///
  /// - Parameter cancel: what the first signal does, in the loop's thread; returns `false` if there was nothing to
  ///   cancel.
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

  /// Return the one descriptor of the process. The child of a fork needs its own: the inherited one wakes the parent.
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

  /// Give the signal back at the end of a run, unless other code has installed an action. Returns `true` if a signal
  /// came too late for the loop to see it.
  func end() -> Bool {
    SignalDispatcher.serialised { casyncio_interrupt_restore() }
    _ = try? loop.removeReader(readEnd)
    return Int(casyncio_interrupt_count()) > told.load(ordering: .relaxed)
  }
}

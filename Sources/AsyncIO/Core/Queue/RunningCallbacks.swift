// A cancel from another thread waits until the running callback has ended. It sleeps, and the loop that ran the
// callback wakes it. Both meet at one monitor of the process: such waits are rare, and a thread comes here only if it
// waits for a callback or is waited for.
//
// A callback that cancels another loop's running callback waits for that loop's thread. If that thread waits, directly
// or through others, for this one, then no wait of the circle would end. A thread waits for one callback at a time, so
// a circle is found by following the waits. The last one to come would close it, and so does not wait.

/// The threads that wait for the ends of callbacks.
enum RunningCallbacks {
  /// What the thread of a loop waits for; alive until it has done so.
  struct Wait {
    let handle: Unmanaged<Handle>
    let loop: ObjectIdentifier

    /// Returns `false` if the callback has ended, and the thread is about to go on; that it is listed means nothing
    /// then.
    var goesOn: Bool { handle._withUnsafeGuaranteedRef { $0.announceWait() } }
  }

  /// By the loop whose thread waits. The loops that are listed here run, so they are alive.
  ///
  /// Right as unchecked because it is touched inside of the monitor only.
  final class Waits: @unchecked Sendable {
    var entries: [ObjectIdentifier: Wait] = [:]

    /// True if the loop's thread waits for the other one's, directly or through others.
    func leads(from loop: ObjectIdentifier, to other: ObjectIdentifier) -> Bool {
      var loop = loop
      while loop != other {
        guard let wait = entries[loop], wait.goesOn else { return false }
        loop = wait.loop
      }
      return true
    }
  }

  private static let monitor = Monitor()
  private static let waits = Waits()

  /// Block the thread until the callback, which runs on the loop, has ended; not if the callback waits for this thread.
  static func waitForEnd(of handle: Handle, on loop: LoopIntake) {
    let loop = ObjectIdentifier(loop)
    let here = LoopIntake.running.map { ObjectIdentifier($0) }
    monitor.locked {
      if let here {
        if waits.leads(from: loop, to: here) { return }
        waits.entries[here] = Wait(handle: .passUnretained(handle), loop: loop)
      }
      while handle.announceWait() { _ = monitor.wait() }
      if let here { waits.entries[here] = nil }
    }
  }

  /// Wake the waiting threads after the end of a callback that was waited for.
  static func oneHasEnded() { monitor.locked { monitor.broadcast() } }
}

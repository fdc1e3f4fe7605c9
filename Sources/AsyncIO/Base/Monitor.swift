internal import CAsyncIO

/// A mutex with a condition, for threads that wait for each other; `Lock` cannot wait.
///
/// Waits with a limit count on the monotonic clock, so a change of the date neither ends nor prolongs them. A
/// wait that ends early goes on.
///
/// The unchecked conformance is right because the two pointers do not change and what they point to is made for
/// threads; the state that a monitor guards belongs to its owner, which touches it inside of `locked` only.
final class Monitor: @unchecked Sendable {
  private let mutex = casyncio_mutex_make()
  private let condition = casyncio_condition_make()

  init() {}

  deinit {
    casyncio_condition_free(condition)
    casyncio_mutex_free(mutex)
  }

  func locked<R>(_ body: () throws -> R) rethrows -> R {
    casyncio_mutex_lock(mutex)
    defer { casyncio_mutex_unlock(mutex) }
    return try body()
  }

  /// Wake one thread that waits.
  func signal() { casyncio_condition_signal(condition) }

  /// Wake all threads that wait.
  func broadcast() { casyncio_condition_broadcast(condition) }

  /// Wait for a wake-up, or until a time in monotonic nanoseconds; returns `false` when that has come. Wake-ups may
  /// come without a reason. Inside of `locked` only.
  func wait(until deadline: Int64 = .max) -> Bool {
    if deadline == .max {
      casyncio_condition_wait(condition, mutex, -1)
      return true
    }
    let left = MonotonicTime.remaining(to: deadline)
    guard left > 0 else { return false }
    casyncio_condition_wait(condition, mutex, left)
    return casyncio_monotonic_nanoseconds() < deadline
  }
}

/// Opens once, and lets the waiting threads through. (A task awaits instead.)
///
/// The flag is under the monitor, which is what makes the unchecked conformance right.
package final class ThreadGate: @unchecked Sendable {
  private let monitor = Monitor()
  private var isOpen = false

  package init() {}

  package func open() {
    monitor.locked {
      isOpen = true
      monitor.broadcast()
    }
  }

  /// Block the thread until the gate is open.
  package func wait() { _ = wait(until: .max) }

  /// Block the thread until the gate is open, or until a time in monotonic nanoseconds. Returns `false` if it is not
  /// open yet.
  package func wait(until deadline: Int64) -> Bool {
    monitor.locked {
      while !isOpen && monitor.wait(until: deadline) {}
      return isOpen
    }
  }
}

internal import AsyncIO
internal import NIOCore

/// A task that waits for its time. Any thread may cancel it, and then it does not run, even if its timer is about to
/// fire: the first of the two decides. If the loop closes before the time has come, it counts as dropped.
///
/// The timer belongs to the loop's thread, which makes the unchecked conformance right.
final class ScheduledWork: PostedTask, @unchecked Sendable {
  private var timer: TimerHandle?

  /// Set the timer; no work of a closed loop has one.
  func schedule(at deadline: NIODeadline, on loop: AsyncIOEventLoop) {
    let when = EventLoopInstant(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds))
    if loop.inEventLoop { set(when, loop) } else { loop.post { self.set(when, loop) } }
  }

  private func set(_ when: EventLoopInstant, _ loop: AsyncIOEventLoop) {
    guard !isTaken else { return }
    timer = try? loop.base.callAt(when) { self.fire() }
  }

  private func fire() {
    timer = nil
    run()
  }

  /// Cancel it, from any thread. Returns `false` if it has run, or was cancelled before.
  @discardableResult
  func cancel(on loop: AsyncIOEventLoop) -> Bool {
    guard take() else { return false }
    let drop: @Sendable () -> Void = {
      self.timer?.cancel()
      self.timer = nil
    }
    if loop.inEventLoop { drop() } else { loop.post(drop) }
    return true
  }
}

internal import AsyncIO
internal import NIOCore
internal import Synchronization

/// A task that waits for its time. Any thread may cancel it, and then it does not run, even if its timer is about to
/// fire: the first of the two decides.
///
/// The timer belongs to the loop's thread, which makes the unchecked conformance right.
final class ScheduledWork: @unchecked Sendable {
  private let isTaken = Atomic<Bool>(false)
  private let body: @Sendable () -> Void
  private let abandoned: @Sendable () -> Void
  private var timer: TimerHandle?

  /// - Parameter abandoned: called instead of the body if the loop closes before the time has come and nobody has
  ///   cancelled. In the thread that closes the loop.
  init(_ body: @escaping @Sendable () -> Void, abandoned: @escaping @Sendable () -> Void) {
    (self.body, self.abandoned) = (body, abandoned)
  }

  /// The timer holds its work, and a loop drops its timers when it closes.
  deinit { if take() { abandoned() } }

  /// Set the timer; no work of a closed loop has one.
  func schedule(at deadline: NIODeadline, on loop: AsyncIOEventLoop) {
    let when = EventLoopInstant(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds))
    if loop.inEventLoop { set(when, loop) } else { loop.post { self.set(when, loop) } }
  }

  private func set(_ when: EventLoopInstant, _ loop: AsyncIOEventLoop) {
    guard !isTaken.load(ordering: .relaxed) else { return }
    timer = try? loop.base.callAt(when) { self.fire() }
  }

  private func fire() {
    timer = nil
    if take() { body() }
  }

  private func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }

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

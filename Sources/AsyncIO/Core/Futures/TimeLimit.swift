internal import Synchronization

/// The time limit of something that waits. It ends once: when its time has come, or when its loop is closed before.
/// Either way it calls back, so that nothing waits for ever for a timer that went with its loop.
///
/// The slot in the heap belongs to the thread that runs or closes the loop, and the rest does not change or is atomic;
/// that is what makes the unchecked conformance right.
final class TimeLimit: TimerNode, @unchecked Sendable {
  enum End: UInt8 {
    /// It has not ended.
    case none
    /// The time has come.
    case timedOut
    /// The loop was closed.
    case closed
  }

  private let reached = Atomic<UInt8>(End.none.rawValue)
  /// Not the loop: what waits in a loop must not hold it.
  private let intake: LoopIntake
  private let ended: @Sendable (End) -> Void

  /// How it ended. Any thread.
  var end: End { End(rawValue: reached.load(ordering: .acquiring)) ?? .none }

  /// Begin at once. The callback runs in the loop's thread or in the thread that closes the loop, and must not wait.
  init(until deadline: EventLoopInstant, on core: BaseEventLoop, _ ended: @escaping @Sendable (End) -> Void) {
    intake = core.intake
    self.ended = ended
    super.init()
    begin(on: core, deadline.nanoseconds)
  }

  private func begin(on core: BaseEventLoop, _ deadline: Int64) {
    if intake.isRunningInThisThread { return insert(into: core, deadline) }
    core.perform {
      self.insert(into: $0, deadline)
    } dropped: {
      self.drop()
    }
  }

  private func insert(into core: BaseEventLoop, _ deadline: Int64) {
    core.assertLoopThread()
    core.timers.insert(LoopWord(self, .node), deadline: deadline)
  }

  override func fire() { finish(.timedOut) }
  override func drop() { finish(.closed) }

  private func finish(_ end: End) {
    assert(self.end == .none, "a time limit ended twice")
    reached.store(end.rawValue, ordering: .releasing)
    ended(end)
  }

  /// Leave the heap: the wait is over. Any thread.
  func cancel() {
    if intake.isRunningInThisThread {
      intake.withCore { $0.timers.remove(self) }
    } else {
      intake.post { $0.timers.remove(self) }
    }
  }
}

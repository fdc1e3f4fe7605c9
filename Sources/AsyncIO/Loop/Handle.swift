internal import CAsyncIO
internal import Synchronization

/// A callback that a loop will run, and the means to cancel it.
///
/// `cancel()` may be called from any thread. Whoever moves the state out of "pending", by one atomic exchange, owns
/// the callback from then on: the loop to run it, or the caller to release it with everything it captured. So a
/// cancel that comes before the callback starts always wins, even if the loop holds the handle in its hands already.
/// That rule is also what makes the unchecked conformance right. Answers asyncio's `Handle`.
public class Handle: @unchecked Sendable {
  private enum State {
    static let pending: UInt8 = 0
    static let running: UInt8 = 1
    static let finished: UInt8 = 2
    static let cancelled: UInt8 = 3
  }

  private let state = Atomic<UInt8>(State.pending)
  private var callback: (() throws -> Void)?
  /// A watch runs its callback again and again.
  private let isRepeating: Bool
  /// Another thread's cancel waits until a running callback has ended.
  private let cancelWaits: Bool
  private let scope: CarriedScope?
  /// Where it was made; kept in debug mode only.
  final let site: CallSite?
  /// Not the loop: a cancel may come from another thread while the loop closes and goes away.
  final let intake: LoopIntake

  init(
    loop: BaseEventLoop, site: CallSite, repeating: Bool = false, cancelWaits: Bool = false,
    callback: sending @escaping () throws -> Void
  ) {
    intake = loop.intake
    self.callback = callback
    isRepeating = repeating
    self.cancelWaits = cancelWaits
    scope = CarriedScope.current
    self.site = loop.isDebug ? site : nil
  }

  /// True once ``cancel()`` has won.
  public final var isCancelled: Bool { state.load(ordering: .acquiring) == State.cancelled }

  /// Makes sure that the callback does not run (again). Idempotent, any thread.
  ///
  /// For a handle of `callSoonThreadsafe` whose callback runs right now in the loop's thread, a cancel from another
  /// thread returns when the callback has ended; from inside the callback it returns at once.
  public final func cancel() {
    while true {
      let (won, was) = state.compareExchange(
        expected: State.pending, desired: State.cancelled, ordering: .acquiringAndReleasing)
      if won {
        callback = nil
        wasCancelled()
        return
      }
      guard was == State.running else { return }
      if isRepeating {
        // The callback goes on to its end; the state it leaves behind is "cancelled".
        let (marked, _) = state.compareExchange(
          expected: State.running, desired: State.cancelled, ordering: .acquiringAndReleasing)
        if marked { return }
      } else {
        if cancelWaits && !intake.isRunningInThisThread {
          while state.load(ordering: .acquiring) == State.running { sched_yield() }
        }
        return
      }
    }
  }

  /// For timers: leave the heap.
  func wasCancelled() {}

  /// Runs the callback unless a cancel came first. Only the loop calls this.
  final func run() throws {
    guard
      state.compareExchange(expected: State.pending, desired: State.running, ordering: .acquiringAndReleasing)
        .exchanged
    else { return }
    defer {
      if !isRepeating {
        state.store(State.finished, ordering: .releasing)
      } else if !state.compareExchange(
        expected: State.running, desired: State.pending, ordering: .acquiringAndReleasing
      ).exchanged {
        callback = nil
      }
    }
    let work = callback
    if !isRepeating { callback = nil }
    if let scope {
      try CarriedScope.$current.withValue(scope) { try work?() }
    } else {
      try work?()
    }
  }

  /// The loop closes: the callback goes away without running.
  final func drop() {
    if state.compareExchange(expected: State.pending, desired: State.finished, ordering: .acquiringAndReleasing)
      .exchanged
    {
      callback = nil
    }
  }
}

/// A callback that a loop will run at a given time. Answers asyncio's `TimerHandle`.
public final class TimerHandle: Handle, TimerNode, @unchecked Sendable {
  /// When the callback is due, on the clock of the loop. Stays valid after it fired or was cancelled.
  public let when: EventLoopInstant
  /// Place in the heap of timers; -1 when not in it. Belongs to the thread that runs the loop.
  @exclusivity(unchecked) var heapIndex = -1

  init(
    loop: BaseEventLoop, site: CallSite, when: EventLoopInstant, callback: sending @escaping () throws -> Void
  ) {
    self.when = when
    super.init(loop: loop, site: site, callback: callback)
  }

  /// Out of the heap at once in the loop's thread, else as soon as the loop looks.
  override func wasCancelled() {
    if intake.isRunningInThisThread {
      intake.core.timers.remove(self)
    } else {
      _ = intake.post(self, .timer)
    }
  }

  func fire() { intake.core.pushReady(self) }
}

internal import CAsyncIO
internal import Synchronization

/// A callback that a loop will run, and the means to cancel it.
///
/// `cancel()` may be called from any thread. The thread that moves the state out of "pending", by one atomic exchange,
/// owns the callback from then on: the loop to run it, or the caller to release it with everything it captured. So a
/// cancel that comes before the callback starts always wins, even if the loop already holds the handle. That rule is
/// also what makes the unchecked conformance right. Answers asyncio's `Handle`.
public class Handle: @unchecked Sendable {
  private enum State {
    static let pending: UInt8 = 0
    static let running: UInt8 = 1
    static let finished: UInt8 = 2
    static let cancelled: UInt8 = 3
    /// It runs, and a thread waits for its end.
    static let awaited: UInt8 = 4
  }

  private enum Kind {
    /// A handle of `callSoon`, with nothing of its own but the callback, which can be used again.
    case plain
    case once
    /// A watch runs its callback again and again.
    case repeating
    /// Another thread's cancel waits until a running callback has ended.
    case awaitable
  }

  /// What few handles have, kept elsewhere so that the others stay small.
  private final class Origin: Sendable {
    let scope: CarriedScope?
    let site: CallSite?
    init(_ scope: CarriedScope?, _ site: CallSite?) { (self.scope, self.site) = (scope, site) }
  }

  private let state = Atomic<UInt8>(State.pending)
  private let kind: Kind
  // The thread that has won the exchange of the state is alone with it.
  @exclusivity(unchecked) private var callback: (() throws -> Void)?
  private let origin: Origin?
  /// The intake for a cancel that has more to do than to win: for timers, and if it waits. Not the loop: a cancel may
  /// come from another thread while the loop closes and goes away. A reference of the handle's own.
  fileprivate final let intake: Unmanaged<LoopIntake>?

  /// Where it was made; kept by a watched loop only.
  final var site: CallSite? { origin?.site }

  init(
    loop: BaseEventLoop, site: CallSite, repeating: Bool = false, cancelWaits: Bool = false, isTimer: Bool = false,
    callback: consuming sending @escaping () throws -> Void
  ) {
    intake = cancelWaits || isTimer ? .passRetained(loop.intake) : nil
    self.callback = callback
    let scope = CarriedScope.ofCaller
    let isWatched = loop.isWatched
    origin = scope != nil || isWatched ? Origin(scope, isWatched ? site : nil) : nil
    kind =
      repeating ? .repeating : cancelWaits ? .awaitable : isTimer || scope != nil || isWatched ? .once : .plain
  }

  /// Create a handle of no loop, to look at.
  init(_ callback: @escaping () -> Void) {
    (intake, origin, kind) = (nil, nil, .once)
    self.callback = callback
  }

  /// Create a handle like one whose callback has run.
  init(finished: Void) {
    (intake, origin, kind) = (nil, nil, .once)
    callback = nil
    state.store(State.finished, ordering: .relaxed)
  }

  deinit { intake?.release() }

  /// True for a handle of `callSoon`, with nothing of its own but the callback, which can be used again.
  @inline(__always)
  final var isPlain: Bool { kind == .plain }

  /// Take another callback. For the loop's thread, which has the only references.
  @inline(__always)
  final func renew(_ callback: consuming sending @escaping () throws -> Void) {
    assert(isPlain && self.callback == nil)
    self.callback = consume callback
    state.store(State.pending, ordering: .relaxed)
  }

  /// Give the callback away, if it was not cancelled. For the loop's thread when it is alone with the callback: it has
  /// won the exchange of the state, or it has the only reference, so that nobody else can cancel it or see its state.
  @inline(__always)
  final func takeCallback(_ work: inout (() throws -> Void)?) {
    // Not copied: that is one reference less to count.
    swap(&work, &callback)
  }

  /// True once ``cancel()`` has won.
  public final var isCancelled: Bool { state.load(ordering: .acquiring) == State.cancelled }

  fileprivate final var isPending: Bool { state.load(ordering: .acquiring) == State.pending }

  /// Make sure that the callback does not run (again). Idempotent, any thread.
  ///
  /// For a handle of `callSoonThreadsafe` whose callback is running in the loop's thread, a cancel from another thread
  /// returns when the callback has ended; the thread sleeps meanwhile. From inside the callback it returns at once. It
  /// also returns at once where the wait would never end, because the callback itself waits, in a cancel of its own,
  /// for the callback that makes this call: if callbacks on several loops cancel each other, the last one gives way.
  public final func cancel() {
    while true {
      let (won, was) = state.compareExchange(
        expected: State.pending, desired: State.cancelled, ordering: .acquiringAndReleasing)
      if won {
        callback = nil
        wasCancelled()
        return
      }
      switch kind {
      case .plain, .once: return
      case .repeating:
        guard was == State.running else { return }
        // The callback goes on to its end; the state it leaves behind is "cancelled".
        let (marked, _) = state.compareExchange(
          expected: State.running, desired: State.cancelled, ordering: .acquiringAndReleasing)
        if marked { return }
      case .awaitable:
        guard was == State.running || was == State.awaited, let intake else { return }
        return intake._withUnsafeGuaranteedRef { intake in
          if !intake.isRunningInThisThread { RunningCallbacks.waitForEnd(of: self, on: intake) }
        }
      }
    }
  }

  /// Announce that a thread waits: the end of the callback then wakes it. Returns `true` while the callback runs.
  /// Inside of the monitor of ``RunningCallbacks``.
  final func announceWait() -> Bool {
    let (_, was) = state.compareExchange(
      expected: State.running, desired: State.awaited, ordering: .acquiringAndReleasing)
    return was == State.running || was == State.awaited
  }

  /// For timers: leave the heap.
  func wasCancelled() {}

  /// Run the callback unless a cancel came first. Only the loop calls this.
  final func run() throws {
    guard
      state.compareExchange(expected: State.pending, desired: State.running, ordering: .acquiringAndReleasing)
        .exchanged
    else { return }
    defer {
      if kind == .plain || kind == .once { state.store(State.finished, ordering: .releasing) } else { endOfRun() }
    }
    var work: (() throws -> Void)?
    if kind == .repeating { work = callback } else { takeCallback(&work) }
    if let scope = origin?.scope {
      try scope.enter { try work?() }
    } else {
      try work?()
    }
  }

  private final func endOfRun() {
    if kind == .awaitable {
      let was = state.exchange(State.finished, ordering: .acquiringAndReleasing)
      if was == State.awaited { RunningCallbacks.oneHasEnded() }
    } else if !state.compareExchange(
      expected: State.running, desired: State.pending, ordering: .acquiringAndReleasing
    ).exchanged {
      callback = nil
    }
  }

  /// Drop the callback without running it, as the loop closes.
  final func drop() {
    if state.compareExchange(expected: State.pending, desired: State.finished, ordering: .acquiringAndReleasing)
      .exchanged
    {
      callback = nil
    }
  }
}

/// A callback that a loop will run at a given time. Answers asyncio's `TimerHandle`.
public final class TimerHandle: Handle, @unchecked Sendable {
  private let dueNanoseconds: Atomic<Int64>
  /// The time at which the callback is due, on the clock of the loop. Stays valid after it fired or was cancelled. Any
  /// thread.
  public var when: EventLoopInstant { EventLoopInstant(nanoseconds: dueNanoseconds.load(ordering: .relaxed)) }
  /// The slot in the heap of timers; -1 if not in it. Belongs to the thread that runs the loop.
  @exclusivity(unchecked) var heapSlot: Int32 = -1

  init(
    loop: BaseEventLoop, site: CallSite, when: EventLoopInstant, callback: consuming sending @escaping () throws -> Void
  ) {
    dueNanoseconds = Atomic(when.nanoseconds)
    super.init(loop: loop, site: site, isTimer: true, callback: callback)
  }

  /// Move the callback to another time, after the others of that time. Returns `false` and does nothing if its time has
  /// already come, or it was cancelled. Allocates nothing, so use it to put off a time limit with every message; for a
  /// body there is ``Timeout/reschedule(at:)``. Loop thread; throws code `wrongThread` elsewhere.
  @discardableResult
  public func reschedule(at when: EventLoopInstant) throws(EventLoopError) -> Bool {
    guard isPending, let intake else { return false }
    guard intake._withUnsafeGuaranteedRef({ $0.isRunningInThisThread }) else { throw .wrongThread("reschedule") }
    guard heapSlot >= 0 else { return false }
    dueNanoseconds.store(when.nanoseconds, ordering: .relaxed)
    intake._withUnsafeGuaranteedRef { $0.withCore { $0.timers.move(self, to: when.nanoseconds) } }
    return true
  }

  /// Leave the heap: at once in the loop's thread, else as soon as the loop looks.
  override func wasCancelled() {
    intake?._withUnsafeGuaranteedRef { intake in
      if intake.isRunningInThisThread {
        intake.withCore { $0.timers.remove(self) }
      } else {
        _ = intake.post(self, .timer)
      }
    }
  }
}

extension Handle: CustomStringConvertible {
  /// How logs show it: "TimerHandle at 12.5 s (pending), made at File.swift:12"; the place is known in debug mode only.
  /// A watch is pending between its calls. Any thread.
  public final var description: String {
    let name = if let timer = self as? TimerHandle { "TimerHandle at \(timer.when)" } else { "\(type(of: self))" }
    let state =
      switch state.load(ordering: .acquiring) {
      case State.pending: "pending"
      case State.running, State.awaited: "running"
      case State.finished: "finished"
      default: "cancelled"
      }
    return "\(name) (\(state))\(site.map { ", made at \($0)" } ?? "")"
  }
}

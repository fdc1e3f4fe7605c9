/// The time limit of a body, with a deadline that moves. It ends once, like a ``TimeLimit``. Any thread may move it,
/// while the slot in the heap is the loop's.
///
/// The lock guards the fields behind it, and the slot and its deadline belong to the thread that runs or closes the
/// loop; that is what makes the unchecked conformance right.
final class MovableLimit: TimerNode, @unchecked Sendable {
  struct State {
    var deadline: EventLoopInstant?
    /// The time from the setting of the deadline to the deadline.
    var given = Duration.zero
    var end = TimeLimit.End.none
    /// False before the body has begun and after it has ended.
    var isWatching = false
    var cancelBody: (@Sendable () -> Void)?
  }

  private let state: Lock<State>
  /// Not the loop: what waits in a loop must not hold it.
  private let intake: LoopIntake
  /// The deadline under which it is in the heap.
  private var armed = Int64.max

  init(_ deadline: EventLoopInstant?, given: Duration, on core: BaseEventLoop) {
    state = Lock(State(deadline: deadline, given: given))
    intake = core.intake
  }

  /// The current state. Any thread.
  var current: (deadline: EventLoopInstant?, end: TimeLimit.End, isWatching: Bool) {
    state.withLock { ($0.deadline, $0.end, $0.isWatching) }
  }

  /// Begin with the body. `cancelBody` is called in the loop's thread, or in the thread that closes the loop.
  func begin(on core: BaseEventLoop, _ cancelBody: @escaping @Sendable () -> Void) {
    state.withLock { state in
      state.isWatching = true
      state.cancelBody = cancelBody
    }
    arm(on: core)
  }

  /// Move the deadline. Returns `false` if the limit has struck, or the body has ended. Any thread.
  func move(to deadline: EventLoopInstant?, given: Duration, on core: BaseEventLoop) -> Bool {
    let isMoved = state.withLock { state in
      guard state.isWatching, state.end == .none else { return false }
      state.deadline = deadline
      state.given = given
      return true
    }
    if isMoved { arm(on: core) }
    return isMoved
  }

  /// Finish with the body. Returns how the limit ended, and the time that it had given. Any thread.
  func finish() -> (end: TimeLimit.End, given: Duration) {
    let outcome = state.withLock { state in
      state.isWatching = false
      state.cancelBody = nil
      return (state.end, state.given)
    }
    if intake.isRunningInThisThread {
      intake.withCore { $0.timers.remove(self) }
    } else {
      intake.post { $0.timers.remove(self) }
    }
    return outcome
  }

  private func arm(on core: BaseEventLoop) {
    if intake.isRunningInThisThread { return place(in: core) }
    core.perform {
      self.place(in: $0)
    } dropped: {
      self.drop()
    }
  }

  /// Put it where its deadline is now. Every move calls this afterwards, so the last call finds the last deadline.
  private func place(in core: BaseEventLoop) {
    core.assertLoopThread()
    let deadline = state.withLock { $0.isWatching && $0.end == .none ? $0.deadline : nil }
    guard let deadline = deadline?.nanoseconds else { return core.timers.remove(self) }
    armed = deadline
    if heapSlot >= 0 {
      core.timers.move(self, to: deadline)
    } else {
      core.timers.insert(LoopWord(self, .node), deadline: deadline)
    }
  }

  override func fire() {
    // Moved by another thread to a later time, and its post, which puts this into the heap again, is on its way.
    finish(.timedOut) { [armed] in $0.nanoseconds <= armed }
  }

  override func drop() { finish(.closed) { _ in true } }

  private func finish(_ end: TimeLimit.End, if isOver: (EventLoopInstant) -> Bool) {
    let cancelBody = state.withLock { state -> (@Sendable () -> Void)? in
      guard state.isWatching, state.end == .none, let deadline = state.deadline, isOver(deadline) else { return nil }
      state.end = end
      defer { state.cancelBody = nil }
      return state.cancelBody
    }
    cancelBody?()
  }
}

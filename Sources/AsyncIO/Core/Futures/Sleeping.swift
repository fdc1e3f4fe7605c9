internal import Synchronization

/// Suspend the task for a duration on the running loop. Throws `CancellationError` when the task is cancelled, at once,
/// and then leaves no timer behind (`Task.sleep` leaves its timer until its time). Zero and negative durations take
/// exactly one turn. Throws code `noRunningLoop` outside of a loop's thread. Answers `asyncio.sleep()`.
public func sleep(for duration: Duration) async throws {
  let core = try runningCore("sleep")
  try await core.sleep(until: core.time().advanced(by: duration))
}

/// Suspend the task for some seconds; NaN is refused with code `invalidArgument`. See ``sleep(for:)``.
public func sleep(seconds: Double) async throws {
  try await sleep(for: try Duration.checked(seconds: seconds, of: "sleep"))
}

/// Suspend the task until a time on the loop's clock. See ``sleep(for:)``.
public func sleep(until when: EventLoopInstant) async throws {
  try await runningCore("sleep").sleep(until: when)
}

/// Return the core that runs in this thread.
func runningCore(_ operation: String) throws(EventLoopError) -> BaseEventLoop {
  if let running = LoopIntake.running { return running.core }
  throw .noRunningLoop("\(operation): ")
}

/// A sleeping task. Loop thread only; that is what makes the unchecked conformance right.
private final class Sleeper: TimerNode, @unchecked Sendable {
  var continuation: UnsafeContinuation<Bool, Never>?

  override init() { LiveCounters.sleepers.add(1, ordering: .relaxed) }
  deinit { LiveCounters.sleepers.subtract(1, ordering: .relaxed) }

  override func fire() { finish(true) }
  override func drop() { finish(false) }
  override var inspected: (what: String, task: UInt?) { ("a sleep", continuation?.taskIdentity) }

  func finish(_ slept: Bool) {
    guard let continuation else { return }
    self.continuation = nil
    continuation.resume(returning: slept)
  }
}

extension BaseEventLoop {
  func sleep(until when: EventLoopInstant, isolation: isolated (any Actor)? = #isolation) async throws {
    try checkCancellation()
    let sleeper = Sleeper()
    let slept = await suspendCancellably { (continuation: UnsafeContinuation<Bool, Never>) in
      assert(isRunningInThisThread)
      assert(sleeper.continuation == nil, "two tasks sleep by one timer")
      sleeper.continuation = continuation
      timers.insert(LoopWord(sleeper, .node), deadline: when.nanoseconds)
    } onCancel: {
      perform { $0.wake(sleeper) }
    }
    if !slept {
      try Task.checkCancellation()
      throw EventLoopError.closed("sleep")
    }
  }

  private func wake(_ sleeper: Sleeper) {
    assertLoopThread()
    timers.remove(sleeper)
    sleeper.finish(false)
  }
}

// Where the current policy comes from, innermost first: the scope of `withEventLoopPolicy` that the code runs in
// (task-local, so child tasks and callbacks see it), then the process's policy, then a fresh default.
//
// The running loop comes before all of them: code that a loop runs gets that loop, without asking a policy.

/// The policy of the process.
private enum ProcessPolicy {
  static let current = Lock<(any EventLoopPolicy)?>(nil)
}

/// The policy of a scope. `setEventLoopPolicy` inside the scope replaces what the scope holds.
private final class PolicyScope: CarriedScope, @unchecked Sendable {
  // Unchecked because the base class is; the policy is behind a lock.
  private let held: Lock<any EventLoopPolicy>

  init(_ policy: any EventLoopPolicy) { held = Lock(policy) }

  static var innermost: PolicyScope? { CarriedScope.current.map { unsafeDowncast($0, to: PolicyScope.self) } }

  var policy: any EventLoopPolicy {
    get { held.withLock { $0 } }
    set { held.withLock { $0 = newValue } }
  }
}

/// Return the current policy: that of the innermost scope, else the process-wide one, which is made once, on first use.
/// Any thread. Answers `asyncio.get_event_loop_policy()`.
public func getEventLoopPolicy() -> any EventLoopPolicy {
  if let scope = PolicyScope.innermost { return scope.policy }
  return ProcessPolicy.current.withLock { current in
    if let current { return current }
    let policy = DefaultEventLoopPolicy()
    current = policy
    return policy
  }
}

/// Replace the current policy; `nil` restores a fresh default, which reads `ASYNCIO_EVENT_LOOP` anew. Inside
/// `withEventLoopPolicy`, and so in an ``AsyncProgram``, this replaces the policy of that scope, elsewhere that of the
/// process. Running loops are not touched. Any thread. Answers `asyncio.set_event_loop_policy()`.
public func setEventLoopPolicy(_ policy: (any EventLoopPolicy)?) {
  if let scope = PolicyScope.innermost {
    scope.policy = policy ?? DefaultEventLoopPolicy()
  } else {
    let old = ProcessPolicy.current.withLock { current in
      defer { current = policy }
      return current
    }
    withExtendedLifetime(old) {}
  }
}

/// Run the body with another policy. The code of the body sees it, and so do child tasks, tasks made inside, and
/// callbacks scheduled inside; other code keeps its own. The policy decides `getEventLoop`, `newEventLoop`, `run` and
/// the loops of what starts inside; a running task never moves. The old policy is restored when the body returns,
/// throws, or is cancelled.
public func withEventLoopPolicy<Result>(
  _ policy: any EventLoopPolicy, _ body: () throws -> Result
) rethrows -> Result {
  try CarriedScope.$current.withValue(PolicyScope(policy)) { try body() }
}

/// The asynchronous form of ``withEventLoopPolicy(_:_:)-(_,()->Result)``.
public func withEventLoopPolicy<Result>(
  _ policy: any EventLoopPolicy, _ body: () async throws -> Result
) async rethrows -> Result {
  try await CarriedScope.$current.withValue(PolicyScope(policy)) { try await body() }
}

/// Return the loop that runs in this thread. Throws code `noRunningLoop` if none does. Never asks a policy. Answers
/// `asyncio.get_running_loop()`.
public func getRunningLoop() throws(EventLoopError) -> any EventLoop {
  guard let running = LoopIntake.running else {
    throw .noRunningLoop("")
  }
  return running.core
}

/// Return the loop that runs in this thread, else what the current policy gives for the calling context. Answers
/// `asyncio.get_event_loop()`.
public func getEventLoop() throws -> any EventLoop {
  if let running = LoopIntake.running { return running.core }
  return try getEventLoopPolicy().getEventLoop()
}

/// Make a loop the current one of the calling context, by the current policy. Answers `asyncio.set_event_loop()`.
public func setEventLoop(_ loop: (any EventLoop)?) {
  getEventLoopPolicy().setEventLoop(loop)
}

/// Make a loop by the current policy. Answers `asyncio.new_event_loop()`.
public func newEventLoop() throws -> any EventLoop {
  try getEventLoopPolicy().newEventLoop()
}

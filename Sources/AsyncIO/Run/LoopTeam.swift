internal import SystemPackage

// How several loops begin and end together. The rules:
//
// - Nothing begins before everything exists: loops, threads, the process. A failure before that leaves nothing behind.
// - The bodies are made in the calling thread, so they inherit its task-local values, and with them its scoped policy.
// - A loop turns until the last of all bodies has ended, and then until the last of all tasks has: tasks may wait for
//   each other across loops, and a task awaited by a cancelled neighbour must be able to end.
// - A run that is ended by force (stop(), an InterruptError, a mechanism that fails) ends the others too.

/// The loops of one call of ``AsyncIO/run(loops:debug:loopFactory:_:)``.
final class LoopTeam: Sendable {
  private struct State {
    var bodies: [any CancellableTask] = []
    /// The error to throw.
    var failure: (any Error)?
    var isCancelled = false
    /// True if a thread could not be started: the others then end as they begin.
    var isCalledOff = false
  }

  private let loops: [BaseEventLoop]
  private let policy: (any EventLoopPolicy)?
  private let values: SharedValues
  private let state = Lock(State())
  private let start = ThreadGate()
  /// When all bodies have ended; when all tasks have.
  private let bodiesEnd: Rendezvous
  private let tasksEnd: Rendezvous

  init(_ loops: [BaseEventLoop], _ policy: (any EventLoopPolicy)?, _ values: SharedValues) {
    (self.loops, self.policy, self.values) = (loops, policy, values)
    (bodiesEnd, tasksEnd) = (Rendezvous(loops), Rendezvous(loops))
  }

  /// Run everything to its end, with loop 0 in this thread.
  func run<Value: Sendable>(_ body: @escaping @Sendable (LoopGroup) async throws -> Value) throws -> [Value] {
    let threads: [JoinableThread]
    do {
      try ProcessExecutors.install(loops[0], beside: Array(loops.dropFirst()))
      threads = try startThreads()
      DispatchMain.serve(by: loops[0])
    } catch {
      ProcessExecutors.uninstall(loops[0])
      for loop in loops { try? loop.close() }
      throw error
    }
    policy?.setEventLoop(loops[0])
    let bodies = makeBodies(body)
    // Before a body of another loop may have taken the signal for a time, by a graceful stop.
    let interruption = Interruption.begin(on: loops[0]) { self.cancel($0) }
    start.open()
    turn(0)
    let isTooLate = interruption?.end() == true
    finish(0)
    for thread in threads { thread.join() }
    policy?.setEventLoop(nil)
    ProcessExecutors.uninstall(loops[0])
    try? loops[0].close()
    if isTooLate { throw KeyboardInterrupt() }
    return try outcome(of: bodies, wasInterrupted: interruption?.hasCancelled == true)
  }

  private func outcome<Value: Sendable>(of bodies: [LoopTask<Value>], wasInterrupted: Bool) throws -> [Value] {
    if let failure = state.withLock({ $0.failure }) { throw failure }
    if wasInterrupted && bodies.contains(where: \.isCancelled) { throw KeyboardInterrupt() }
    return try bodies.map { try $0.result() }
  }

  // MARK: Beginning

  private func startThreads() throws -> [JoinableThread] {
    var threads: [JoinableThread] = []
    let scope = CarriedScope.current
    for index in loops.indices.dropFirst() {
      do throws(Errno) {
        threads.append(
          try JoinableThread(name: "asyncio loop \(index)") {
            CarriedScope.$current.withValue(scope) { self.serve(index) }
          })
      } catch {
        state.withLock { $0.isCalledOff = true }
        start.open()
        for thread in threads { thread.join() }
        throw LoopStartError(index, IOError.noThread(error, for: "the loop"))
      }
    }
    return threads
  }

  /// Run a loop other than the first, in its thread.
  private func serve(_ index: Int) {
    start.wait()
    if state.withLock({ $0.isCalledOff }) { return }
    policy?.setEventLoop(loops[index])
    turn(index)
    finish(index)
    try? loops[index].close()
    policy?.setEventLoop(nil)
  }

  private func makeBodies<Value: Sendable>(
    _ body: @escaping @Sendable (LoopGroup) async throws -> Value
  ) -> [LoopTask<Value>] {
    let bodies = loops.indices.map { index in
      let group = LoopGroup(index: index, loops: loops, values: values)
      let task = LoopTask<Value>(loop: loops[index], name: "loop \(index)", site: CallSite())
      LoopTaskRegistry.shared.insert(task, for: loops[index])
      task.addDoneCallback { self.bodyEnded(index, $0) }
      task.start { try await body(group) }
      return task
    }
    state.withLock { $0.bodies = bodies }
    return bodies
  }

  // MARK: Ending

  /// Turn the loop until all bodies have ended.
  private func turn(_ index: Int) {
    do { try loops[index].runUntilComplete(bodiesEnd.waits[index]) } catch {
      state.withLock { $0.failure = $0.failure ?? error }
      _ = cancel("the run of a loop beside this one was ended")
      bodiesEnd.end()
    }
  }

  private func bodyEnded<Value: Sendable>(_ index: Int, _ body: Future<Value>) {
    if index == 0 { values.end() }
    do { _ = try body.result() } catch { failed(index, error) }
    bodiesEnd.arrive(index)
  }

  private func failed(_ index: Int, _ error: any Error) {
    let (isFirst, first) = state.withLock { state -> (Bool, (any Error)?) in
      if error is CancellationError && state.isCancelled { return (false, nil) }
      defer { state.failure = state.failure ?? error }
      return (state.failure == nil, state.failure)
    }
    if isFirst {
      _ = cancel("the body of loop \(index) failed")
    } else if let first, "\(first)" != "\(error)" {
      var context = ExceptionContext(message: "another body of run(loops:) also failed", exception: error)
      context.task = "loop \(index)"
      loops[index].callExceptionHandler(context)
    }
  }

  /// Cancel the bodies. Returns `false` if all of them are done.
  private func cancel(_ message: String) -> Bool {
    let bodies = state.withLock { state in
      state.isCancelled = true
      return state.bodies
    }
    return bodies.filter { $0.cancel(message) }.isEmpty == false
  }

  /// End what is left on the loop, in step with the others.
  private func finish(_ index: Int) {
    let loop = loops[index]
    try? loop.run { [tasksEnd] in
      await endTasks(of: loop)
      tasksEnd.arrive(index)
      _ = try? await tasksEnd.waits[index].get()
      // Tasks of other loops may have made tasks here while they were cancelled.
      await endTasks(of: loop)
      await loop.shutdownDefaultExecutor(timeout: .seconds(300))
    }
    // If the run was ended by force, no other loop may wait for this one.
    tasksEnd.arrive(index)
  }
}

/// Where loops wait for each other: one future per loop, all done when the last loop has arrived.
private final class Rendezvous: Sendable {
  let waits: [Future<Void>]
  private let missing: Lock<Set<Int>>

  init(_ loops: [BaseEventLoop]) {
    waits = loops.map { Future(loop: $0) }
    missing = Lock(Set(loops.indices))
  }

  /// Mark a loop as arrived. Repeated calls do nothing. Any thread.
  func arrive(_ index: Int) {
    let isLast = missing.withLock { $0.remove(index) != nil && $0.isEmpty }
    if isLast { end() }
  }

  /// Release every loop without waiting for the rest. Any thread.
  func end() { for wait in waits { wait.complete(.success(())) } }
}

internal import CAsyncIO
internal import Synchronization

// What happens to everything that a loop holds when it is closed. Nothing is lost silently: callbacks go with their
// captures, operations end, jobs go where they can run, and pending tasks are reported.

extension BaseEventLoop {
  /// Close the loop for good. Throws code `alreadyRunning` while it runs. Answers `close`.
  public final func close() throws {
    guard !isRunning else {
      throw EventLoopError(.alreadyRunning, "close: the event loop is running. Stop it first, then close it.")
    }
    closeNow()
  }

  /// End everything that is left: callbacks are dropped, operations end as cancelled, jobs go where they can run.
  final func closeNow() {
    let (taken, _) = lifecycle.compareExchange(
      expected: Lifecycle.idle, desired: Lifecycle.closed, ordering: .acquiringAndReleasing)
    guard taken else { return }
    // First, so that a body that has not begun is not begun elsewhere by what follows.
    let tasks = unfinishedTasks
    let reports = tasks.compactMap(\.pendingReport)
    for task in tasks { task.loopDidClose() }
    for watched in watches.values { watched.watch.drop() }
    watches = [:]
    witness = nil
    let left = residents.values
    residents = [:]
    for resident in left { resident.loopDidClose() }
    // While the inbox is still open, so that no task goes on elsewhere before the backend is done with its descriptors
    // and its lent memory. Nothing sleeps, so nothing is woken.
    completeDeferred(before: .max)
    backend.close()
    var late = intake.close()
    while !ready.isEmpty { drop(ready.pop()) }
    late.moveCallbacks(to: &posted)
    for index in 0..<late.count { drop(LoopWord(bits: late[index])) }
    let now = time().nanoseconds
    for timer in timers.removeAll() {
      guard timer.word.isJob else {
        drop(timer.word)
        continue
      }
      let deadline =
        timer.deadline == .max ? .max : MonotonicTime.after(timer.deadline > now ? timer.deadline - now : 0)
      LateJobs.run(timer.word.takeJob().job, role: .task, of: intake, at: deadline)
    }
    let (executor, services) = shared.withLock { state in
      defer {
        state.defaultExecutor = nil
        state.executorIsShutDown = true
        state.services = [:]
      }
      return (state.defaultExecutor, state.services.values)
    }
    for service in services { service.loopDidClose() }
    executor?.shutDown()
    // Last: the handler is the program's code and must find a loop that is completely closed.
    for report in reports { callExceptionHandler(report) }
  }

  private final func drop(_ word: LoopWord) {
    switch word.tag {
    case .taskJob, .serialJob, .routedJob, .boxedJob:
      let (job, role) = word.takeJob()
      LateJobs.run(job, role: role == .serialJob ? .serial(serialFacade) : .task, of: intake)
    case .handle: word.object(Handle.self).drop()
    case .timer: word.object(TimerHandle.self).drop()
    case .submit:
      let operation = word.object(IOOperation.self)
      operation.state = .inFlight
      operation.complete(-Int(ECANCELED))
    case .closeDescriptor: closeDescriptorNow(word.object(IODescriptor.self))
    case .action: word.object(PostedAction.self).dropped()
    case .node: word.object(TimerNode.self).drop()
    case .embedded: dropEmbedded(word)
    case .token: _ = timers.tokens.remove(word.place)
    case .posted: _ = posted.popFirst()
    }
  }
}

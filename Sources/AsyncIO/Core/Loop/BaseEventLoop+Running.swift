internal import CAsyncIO
internal import Logging
internal import Synchronization
internal import SystemPackage

extension BaseEventLoop {
  /// How many jobs made by jobs run before the next poll.
  static var jobBudget: Int { 256 }

  // MARK: Runs

  /// Run until ``stop()``, in this thread. Answers `run_forever`.
  public final func runForever() throws {
    try checkRunnable("runForever")
    try run()
  }

  /// Run until the future is done, in this thread. Answers `run_until_complete`.
  public final func runUntilComplete<Value: Sendable>(_ future: Future<Value>) throws -> Value {
    guard future.loop === self else {
      throw EventLoopError(.foreignLoop, "runUntilComplete: the future belongs to another event loop.")
    }
    try checkRunnable("runUntilComplete")
    // If the callback was queued in a turn that stopped for another reason, it must not stop the next run.
    let number = runs &+ 1
    let token = future.addDoneCallback { [unowned self] _ in if self.runs == number { self.stop() } }
    defer { future.removeDoneCallback(token) }
    try run()
    guard future.isDone else {
      throw EventLoopError(
        .stoppedBeforeCompletion, "runUntilComplete: the event loop was stopped before the future was done.")
    }
    return try future.result()
  }

  /// Refuse a run before anything has changed: a refused nested run must leave the outer one intact.
  final func checkRunnable(_ operation: String) throws(EventLoopError) {
    switch lifecycle.load(ordering: .acquiring) {
    case Lifecycle.closed: throw .closed(operation)
    case Lifecycle.running:
      throw EventLoopError(
        .alreadyRunning,
        "\(operation): this event loop is already running. Use callSoon, a task, or callSoonThreadsafe "
          + "from another thread.")
    default: break
    }
    if LoopIntake.running != nil {
      throw EventLoopError(
        .anotherLoopRunning,
        "\(operation): another event loop is running in this thread. Await the asynchronous form, or use "
          + "another thread.")
    }
  }

  /// Take the loop for this thread, turn until stopped, and give it back.
  final func run() throws {
    let (taken, was) = lifecycle.compareExchange(
      expected: Lifecycle.idle, desired: Lifecycle.running, ordering: .acquiringAndReleasing)
    guard taken else {
      throw was == Lifecycle.closed
        ? EventLoopError.closed("run")
        : EventLoopError(.alreadyRunning, "run: this event loop is already running, in another thread.")
    }
    runs &+= 1
    runGeneration = casyncio_fork_generation()
    gauge.runBegins(self)
    if Observation.isInspected { watch(for: .inspection) }
    if isDebug { Watchdog.look(at: self) }
    casyncio_set_running_loop(Unmanaged.passUnretained(intake).toOpaque(), Self.leaveToParent)
    defer {
      isStopping = false
      casyncio_set_running_loop(nil, nil)
      gauge.runEnds()
      if isDebug { Watchdog.runEnded() }
      lifecycle.store(Lifecycle.idle, ordering: .releasing)
    }
    do { try backend.runWillBegin() } catch { throw IOError(error, "begin to wait for events", "over \(backend.name)") }
    defer { backend.runDidEnd() }
    // Operations that were recorded while the loop did not run complete into the queue of this run.
    if intake.inbox.hasPosts { emptyInbox() }
    if embedded != nil { try runInOrder() } else { repeat { try turn() } while !isStopping }
    if isForked { throw EventLoopError.forked }
  }

  /// Let the run end with this turn, in the child of a fork that was made in it: what it waits for is its parent's.
  private static let leaveToParent: @convention(c) (UnsafeMutableRawPointer) -> Void = { running in
    Unmanaged<LoopIntake>.fromOpaque(running)._withUnsafeGuaranteedRef { $0.withCore { $0.isStopping = true } }
  }

  /// End the run after the current turn. Any thread. Answers `stop`.
  public final func stop() {
    if isRunningInThisThread {
      isStopping = true
      return
    }
    if isDebug && isRunning {
      callExceptionHandler(
        ExceptionContext(
          message: "stop() from another thread; it is honoured, but callSoonThreadsafe says what you mean",
          exception: EventLoopError.wrongThread("stop")))
    }
    perform { $0.isStopping = true }
  }

  // MARK: One turn

  private final func turn() throws {
    turns &+= 1
    try poll(timeout: waitTimeout())
    try runReady()
  }

  /// Wait, and move what has come to where it belongs.
  @inline(__always)
  final func poll(timeout: Int64) throws {
    do {
      try backend.poll(timeout: timeout)
    } catch {
      intake.inbox.endSleep()
      throw IOError(error, "wait for events", "over \(backend.name)")
    }
    if timeout != 0 { intake.inbox.endSleep() }
    if hasDeferred { completeDeferred(before: turns) }
    if intake.inbox.hasPosts { emptyInbox() }
    if !timers.isEmpty { fireTimers() }
  }

  /// Nanoseconds to wait; 0 if something is ready, negative if nothing is to come.
  @inline(__always)
  final func waitTimeout() -> Int64 {
    if !ready.isEmpty || isStopping || hasDeferred { return 0 }
    var timeout: Int64 = -1
    if let earliest = timers.earliest, earliest != .max {
      let now = time().nanoseconds
      if earliest <= now { return 0 }
      // A bound on one wait: a day, like asyncio's.
      timeout = min(earliest &- now, 86_400_000_000_000)
    } else {
      timers.giveMemoryBack()
    }
    return intake.inbox.announceSleep() ? timeout : 0
  }

  private final func fireTimers() {
    guard let earliest = timers.earliest else { return }
    let now = time().nanoseconds
    guard earliest <= now else { return }
    while let due = timers.popDue(now: now) {
      if due.tag == .node { due.object(TimerNode.self).fire() } else { pushArrival(due) }
    }
  }

  @inline(__always)
  final func runReady() throws {
    if let turnObserver { return try runOrdered(turnObserver) }
    var left = ready.count
    if watchReasons.load(ordering: .relaxed) != 0 { return try runReadyWatched() }
    let isCrowded = left > ReadyQueue.crowd && ready.knowsFrames
    while left > 0 {
      left -= 1
      if isCrowded { ready.prefetchNext() }
      try run(ready.pop())
    }
    guard !isStopping else { return }
    left = Self.jobBudget
    while left > 0, !ready.isEmpty, ready.first.isJob {
      left -= 1
      try run(ready.pop())
    }
  }

  /// Make a turn of a simulation: what is there is run in the order that the observer chooses, and what is added
  /// meanwhile waits for the next turn, so that the observer can choose its place as well.
  private final func runOrdered(_ observer: any TurnObserver) throws {
    if let seed = observer.turnWillRun(entries: ready.count) { ready.shuffleJobs(seed) }
    var left = ready.count
    while left > 0 {
      left -= 1
      try run(ready.pop())
    }
    observer.turnDidRun()
  }

  @inline(__always)
  final func run(_ word: LoopWord) throws {
    assert(isLoopThread, "what is queued runs in the thread that runs the loop")
    stepShare = Self.stepShare
    switch word.rawTag {
    case LoopWord.Tag.taskJob.rawValue: word.plainJob.runSynchronously(on: taskFacade.unowned)
    case LoopWord.Tag.serialJob.rawValue:
      word.plainJob.runSynchronously(isolatedTo: serialFacade.unowned, taskExecutor: ordinaryExecutor)
    case LoopWord.Tag.routedJob.rawValue: word.plainJob.runSynchronously(on: ordinaryExecutor)
    case LoopWord.Tag.handle.rawValue: try runHandle(word)
    default: try runOther(word)
    }
  }

  @inline(never)
  private final func runOther(_ word: LoopWord) throws {
    switch word.rawTag {
    case LoopWord.Tag.embedded.rawValue: try runEmbedded(word)
    case LoopWord.Tag.token.rawValue: try runToken(word.place)
    case LoopWord.Tag.posted.rawValue: try runPosted()
    default: runBoxed(word)
    }
  }

  /// Run a job that came in a box, in its role.
  private final func runBoxed(_ word: LoopWord) {
    let (job, role) = word.takeJob()
    switch role {
    case .taskJob: job.runSynchronously(on: taskFacade.unowned)
    case .serialJob: job.runSynchronously(isolatedTo: serialFacade.unowned, taskExecutor: ordinaryExecutor)
    default: job.runSynchronously(on: ordinaryExecutor)
    }
  }

  @inline(__always)
  private final func runHandle(_ word: LoopWord) throws {
    let handle = word.unmanaged(Handle.self)
    if spareHandles.isSole(handle) {
      var work: (() throws -> Void)?
      handle._withUnsafeGuaranteedRef { $0.takeCallback(&work) }
      spareHandles.putSole(handle)
      do { try work?() } catch { try callbackFailed(error, nil) }
    } else {
      try runShared(handle)
    }
  }

  @inline(never)
  private final func runShared(_ handle: Unmanaged<Handle>) throws {
    defer { spareHandles.put(handle) }
    try handle._withUnsafeGuaranteedRef { try run($0) }
  }

  private final func run(_ handle: Handle) throws {
    do { try handle.run() } catch { try callbackFailed(error, handle) }
  }

  /// Tell of an error of a callback. Its handle may be another's already, if nobody has it; then one like it is told.
  final func callbackFailed(_ error: any Error, _ handle: Handle?) throws {
    if error is any InterruptError { throw error }
    var context = ExceptionContext(message: "exception in a callback", exception: error)
    context.handle = handle ?? Handle(finished: ())
    context.source = handle?.site
    callExceptionHandler(context)
  }

  // MARK: The inbox

  /// Move what other threads posted to where it belongs.
  final func emptyInbox() {
    assertLoopThread()
    intake.inbox.take(spare: &spareWords)
    spareWords.moveCallbacks(to: &posted)
    // By index: what is admitted may post, but not here.
    for index in 0..<spareWords.count { admit(LoopWord(bits: spareWords[index])) }
    spareWords.removeAll()
  }

  private final func admit(_ word: LoopWord) {
    switch word.tag {
    case .taskJob, .serialJob, .routedJob, .boxedJob, .handle, .embedded, .posted: pushArrival(word)
    case .timer: admitTimer(word.object(TimerHandle.self))
    case .submit: submitNow(word.object(IOOperation.self))
    case .closeDescriptor: closeDescriptorNow(word.object(IODescriptor.self))
    case .action: word.object(PostedAction.self).run(self)
    case .node, .token: preconditionFailure("what waits in the timer heap must not be posted")
    }
  }

  private final func admitTimer(_ timer: TimerHandle) {
    if timer.isCancelled {
      timers.remove(timer)
    } else if timer.heapSlot < 0 {
      timers.insert(LoopWord(timer, .handle), deadline: timer.when.nanoseconds)
    }
  }
}

internal import CAsyncIO
internal import Synchronization

// A loop is an executor in two roles, and a job does not say in which role it came. Run in the wrong role, every
// continuation, cancellation handler and peer actor costs one to three extra enqueues (measured), and a readiness can
// be lost because a hop comes between a check and a suspension. So the loop has two identities: jobs that come in
// through the task facade are run on the task facade, jobs that come in through the serial facade on the serial one.
//
// Both hold the loop's intake instead of the loop: a job may come when the loop is long gone.

/// The loop as the executor that tasks prefer.
final class TaskFacade: TaskExecutor {
  let intake: LoopIntake

  init(_ intake: LoopIntake) { self.intake = intake }

  var unowned: UnownedTaskExecutor {
    @inline(__always) get { UnownedTaskExecutor(ordinary: self) }
  }

  func enqueue(_ job: consuming ExecutorJob) { enqueue(UnownedJob(job)) }

  @inline(__always)
  func enqueue(_ job: UnownedJob) {
    let word = LoopWord(job, .taskJob)
    if intake.isRunningInThisThread {
      intake.push(word)
    } else if !intake.post(word) {
      LateJobs.run(word.takeJob().job, role: .task, of: intake)
    }
  }

  /// Run a job at a time, for the runtime's `Task.sleep`. The job is never taken back, even if the sleep is cancelled.
  func enqueue(_ job: UnownedJob, after delay: Int64) {
    if intake.isRunningInThisThread { return intake.core.insert(LoopWord(job, .taskJob), after: delay) }
    let deadline = MonotonicTime.after(delay)
    if !intake.post(job, at: deadline) { LateJobs.run(job, role: .task, of: intake, at: deadline) }
  }
}

extension BaseEventLoop {
  /// Queue a job to run after some nanoseconds; loop thread only.
  final func insert(_ job: LoopWord, after delay: Int64) {
    assertLoopThread()
    timers.insert(job, deadline: time().advanced(byNanoseconds: delay).nanoseconds)
  }
}

extension LoopIntake {
  /// Post a job for a time, in monotonic nanoseconds, from any thread. Returns `false` if the loop is closed.
  func post(_ job: UnownedJob, at deadline: Int64) -> Bool {
    let action = PostedAction { core in
      core.timers.insert(LoopWord(job, .taskJob), deadline: deadline)
    } dropped: { [self] in
      LateJobs.run(job, role: .task, of: self, at: deadline)
    }
    return post(action, .action)
  }
}

/// The loop as the executor of actors that are pinned to it, and of the main actor after a take-over.
///
/// A suspended function of the main actor refers to the facade that it left from by its bare address, for as long as it
/// is suspended. So the facade of the first whole-process run serves all the others too: it lives for ever, and follows
/// the process from loop to loop.
final class SerialFacade: SerialExecutor {
  /// The intake that it was made with.
  private let own: LoopIntake
  /// The address of the intake that it stands for now.
  private let current: Atomic<UInt>

  init(_ intake: LoopIntake) {
    own = intake
    current = Atomic(Self.address(intake))
  }

  private static func address(_ intake: LoopIntake) -> UInt {
    UInt(bitPattern: Unmanaged.passUnretained(intake).toOpaque())
  }

  /// Stand for another loop from here on. For ``ProcessExecutors``, which holds the intake until it calls this again.
  func follow(_ intake: LoopIntake) { current.store(Self.address(intake), ordering: .releasing) }

  /// The intake of the loop that it stands for. A facade that has followed asks the code that holds the intake: the
  /// address alone could be that of an intake that is just being replaced.
  var intake: LoopIntake {
    current.load(ordering: .acquiring) == Self.address(own) ? own : ProcessExecutors.latestIntake ?? own
  }

  var unowned: UnownedSerialExecutor {
    @inline(__always) get { UnownedSerialExecutor(ordinary: self) }
  }

  func enqueue(_ job: consuming ExecutorJob) { enqueue(UnownedJob(job)) }

  @inline(__always)
  func enqueue(_ job: UnownedJob) {
    let word = LoopWord(job, .serialJob)
    if let running = runningHere {
      // Alive: its loop runs in this thread.
      Unmanaged<LoopIntake>.fromOpaque(running)._withUnsafeGuaranteedRef { $0.push(word) }
    } else {
      enqueueElsewhere(word)
    }
  }

  private func enqueueElsewhere(_ word: LoopWord) {
    let intake = intake
    if !intake.post(word) { LateJobs.run(word.takeJob().job, role: .serial(self), of: intake) }
  }

  /// Its intake, if that is the one whose loop runs in this thread.
  @inline(__always)
  private var runningHere: UnsafeMutableRawPointer? {
    let running = casyncio_running_loop()
    return UInt(bitPattern: running) == current.load(ordering: .relaxed) ? running : nil
  }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { unowned }

  /// Make `assumeIsolated` work in plain callbacks of the loop.
  func isIsolatingCurrentContext() -> Bool? {
    runningHere != nil || LateJobs.isServing(intake)
  }

  func checkIsolated() {
    precondition(
      isIsolatingCurrentContext() == true,
      "this code must run on its event loop's thread; await the actor, or use callSoonThreadsafe")
  }
}

internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

/// What happens to jobs that reach a loop after its close. None is ever dropped: a dropped job is a task that never
/// resumes, with everything it holds, and an await that hangs. Only those of a simulated world are put away: nothing
/// outside awaits them, and what they would do in threads of the system has no place there.
///
/// Task-role jobs go to the platform's own executor. Serial-role jobs belong to actors, whose isolation is that their
/// jobs do not overlap; a concurrent pool would break it (a probe kept 2,129 of 4,000 increments). They go to one
/// serial thread for the whole process. If the system has no thread for it they go, still one at a time, to a loop that
/// runs, or to the platform's executor, which waits for a thread. A sleeping job keeps its time. If the closed loop was
/// the whole process's, its jobs wait for the next one.
enum LateJobs {
  /// How the job came in; a serial job is run in the name of the facade it came through.
  enum Role {
    case task
    case serial(SerialFacade)
  }

  private struct Waiting {
    var job: UnownedJob
    var facade: SerialFacade
  }

  private struct State {
    var queue: [Waiting] = []
    var isDraining = false
  }

  private static let state = Lock(State())
  /// Jobs that will not run, kept where a search for lost memory finds them.
  private static let putAway = Lock<[UnownedJob]>([])
  /// The intake whose job the serial thread is running, and that thread.
  private static let servingIntake = Atomic<UInt>(0)
  private static let servingThread = Atomic<Int64>(0)
  /// The number of jobs so far that came too late for their loop.
  static let count = Atomic<Int>(0)

  /// - Parameter deadline: for a job of the runtime's `Task.sleep`, in monotonic nanoseconds.
  static func run(_ job: UnownedJob, role: Role, of intake: LoopIntake, at deadline: Int64? = nil) {
    count.add(1, ordering: .relaxed)
    if intake.putsLateJobsAway { return putAway.withLock { $0.append(job) } }
    if ProcessExecutors.keep(job, role, of: intake, at: deadline) { return }
    switch role {
    case .task:
      if let deadline { return ProcessExecutors.enqueueOnPlatform(job, at: deadline) }
      ProcessExecutors.platformExecutor.enqueue(ExecutorJob(job))
    case .serial(let facade): append(Waiting(job: job, facade: facade))
    }
  }

  private static func append(_ waiting: Waiting) {
    let start = state.withLock { state in
      state.queue.append(waiting)
      defer { state.isDraining = true }
      return !state.isDraining
    }
    if start { beginDraining() }
  }

  /// Make another thread drain the queue. Not this one: the code that enqueues a job may hold a lock.
  private static func beginDraining() {
    do throws(Errno) {
      return try Thread.detach(name: "asyncio late") { while drainSome() {} }
    } catch {}
    // A round at a time, and then a thread is requested again: the jobs of a round may add more for ever.
    @Sendable func drainARound() { if drainSome() { beginDraining() } }
    if let loop = LoopTaskRegistry.shared.someRunningLoop {
      let action = PostedAction { _ in
        drainARound()
      } dropped: {
        beginDraining()
      }
      if loop.intake.post(action, .action) { return }
    }
    Task(executorPreference: ProcessExecutors.platformExecutor) { drainARound() }
  }

  /// Run what is queued now. Returns `false` if there was nothing, and the draining has ended.
  private static func drainSome() -> Bool {
    let batch = state.withLock { state in
      defer { state.queue = [] }
      if state.queue.isEmpty { state.isDraining = false }
      return state.queue
    }
    if batch.isEmpty { return false }
    servingThread.store(casyncio_thread_number(), ordering: .sequentiallyConsistent)
    for waiting in batch {
      servingIntake.store(identity(waiting.facade.intake), ordering: .sequentiallyConsistent)
      waiting.job.runSynchronously(on: waiting.facade.unowned)
      servingIntake.store(0, ordering: .sequentiallyConsistent)
    }
    return true
  }

  private static func identity(_ intake: LoopIntake) -> UInt {
    UInt(bitPattern: Unmanaged.passUnretained(intake).toOpaque())
  }

  /// True in the serving thread while it runs a job of this loop.
  static func isServing(_ intake: LoopIntake) -> Bool {
    servingIntake.load(ordering: .sequentiallyConsistent) == identity(intake)
      && servingThread.load(ordering: .sequentiallyConsistent) == casyncio_thread_number()
  }
}

extension LiveCounters {
  /// The number of jobs so far that came too late for their loop.
  package static var lateJobs: Int { LateJobs.count.load(ordering: .relaxed) }
}

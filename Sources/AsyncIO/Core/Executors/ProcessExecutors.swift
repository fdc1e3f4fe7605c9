#if os(Linux) && compiler(>=6.3)
  @_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) internal import _Concurrency

  // What is not public API in Swift's concurrency library is used in this file: the hook that replaces the executors of
  // the whole process, and the protocol by which `Task.sleep` finds the loop's timers. It is not in `Base/Runtime`,
  // where everything else is that leans on the runtime, because the loop's executors conform to that protocol. What the
  // runtime does with it on 6.3.1, found by experiment:
  //
  // - `_createExecutors(factory:)` works when it is called from a synchronous `main` before any task exists. A late
  //   call does silent damage: a hang, or two worlds. So a late call is detected and refused. The number of a
  //   throw-away task tells whether there were others, see ``RuntimeProbe``. After the call the runtime is asked whose
  //   executors it has.
  // - `Task.sleep` calls `enqueue(_:at:tolerance:clock:)` with an instant of the clock it was given, in absolute time.
  //   Continuous clock and the loop's clock differ on a machine that was suspended, so only the distance to that
  //   clock's "now" is used.
  // - A cancelled sleep leaves its job here until its time; the job must be run, not dropped.
  // - `typealias DefaultExecutorFactory` is silently ignored by 6.3.1.

  extension TaskFacade: SchedulingExecutor {
    func enqueue<C: Clock>(_ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C) {
      enqueue(UnownedJob(job), after: delay(to: instant, of: clock))
    }
  }

  extension LoopRouter: SchedulingExecutor {
    func enqueue<C: Clock>(_ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C) {
      enqueue(UnownedJob(job), after: delay(to: instant, of: clock))
    }
  }

  private func delay<C: Clock>(to instant: C.Instant, of clock: C) -> Int64 {
    guard let distance = clock.now.duration(to: instant) as? Duration else {
      preconditionFailure(
        "Task.sleep with \(C.self): a clock whose durations are not Swift.Duration must implement its own sleep")
    }
    return distance.saturatedNanoseconds
  }

  extension SerialFacade: MainExecutor {
    var isMainExecutor: Bool { true }
    func run() throws { try intake.core.runForever() }
    func stop() { intake.core.stop() }
  }

  /// The executors of the whole process: which loop has them, and how a loop takes them over.
  enum ProcessExecutors {
    /// A job between two runs.
    private struct Waiting {
      var job: UnownedJob
      var tag: LoopWord.Tag
      /// The end of a sleep, in monotonic nanoseconds.
      var deadline: Int64?

      func post(to intake: LoopIntake) -> Bool {
        if let deadline { return intake.post(job, at: deadline) }
        let word = LoopWord(job, tag)
        if intake.post(word) { return true }
        _ = word.takeJob()
        return false
      }
    }

    /// What a whole-process run gives to the runtime.
    private struct Executors {
      var main: SerialFacade
      var ordinary: any TaskExecutor
    }

    private struct State {
      var wasInstalled = false
      var installing: Executors?
      /// The loop of the current whole-process run; of several, the one with the main actor.
      var current: LoopIntake?
      /// The executor of the main actor, the same in all whole-process runs, see ``SerialFacade``.
      var main: SerialFacade?
      /// What that stands for: the loop of the last run, even after it is closed.
      var latest: LoopIntake?
      /// The default executors of the last runs. The runtime changes its own without a lock; a thread that has just
      /// read the previous one must not find it gone.
      var recent: [any TaskExecutor] = []
      var waiting: [Waiting] = []
    }

    private static let state = Lock(State())
    private static var recentRuns: Int { 16 }

    /// The platform's own default executor, whatever is installed now.
    static var platformExecutor: any TaskExecutor { PlatformExecutorFactory.defaultExecutor }

    /// The loop of the last whole-process run, for its serial facade.
    static var latestIntake: LoopIntake? { state.withLock { $0.latest } }

    /// Make the loop the executor of the main actor and of every task without a preference; if there are others beside
    /// it, it gets only its own tasks of these. Refused with code `runtimeAlreadyStarted` if tasks ran before,
    /// `anotherLoopRunning` while another loop has the process.
    static func install(_ loop: BaseEventLoop, beside others: [BaseEventLoop] = []) throws(EventLoopError) {
      if !state.withLock({ $0.wasInstalled }) { try checkRuntimeIsUntouched() }
      let router = others.isEmpty ? nil : LoopRouter(loop.taskFacade)
      let ordinary: any TaskExecutor = router ?? loop.taskFacade
      let taken: [Waiting]? = state.withLock { state in
        guard state.current == nil else { return nil }
        state.wasInstalled = true
        let main = state.main ?? loop.serialFacade
        state.main = main
        state.installing = Executors(main: main, ordinary: ordinary)
        state.current = loop.intake
        state.latest = loop.intake
        state.recent.append(ordinary)
        if state.recent.count > Self.recentRuns { state.recent.removeFirst() }
        if main !== loop.serialFacade {
          main.follow(loop.intake)
          loop.adopt(main)
        }
        loop.intake.hasProcess = true
        defer { state.waiting = [] }
        return state.waiting
      }
      guard let waiting = taken else {
        throw EventLoopError(
          .anotherLoopRunning,
          "AsyncIO.run: a loop in another thread already has the process. Use `loop.run { }` in this thread.")
      }
      _createExecutors(factory: Factory.self)
      guard hasRuntimeTaken(main: loop.serialFacade, ordinary: ordinary) else {
        uninstall(loop)
        throw EventLoopError(
          .notOffered,
          "AsyncIO.run: this Swift runtime has kept executors of its own. Use loop.run { } or, in a task, "
            + "`try await AsyncIO.run { }` inside this program.")
      }
      if let router { for member in [loop] + others { router.add(member) } } else { loop.isProcessWide = true }
      state.withLock { $0.installing = nil }
      for job in waiting { _ = job.post(to: loop.intake) }
    }

    /// End the whole-process run; jobs that come from here on wait for the next one.
    static func uninstall(_ loop: BaseEventLoop) {
      state.withLock { if $0.current === loop.intake { $0.current = nil } }
    }

    /// Keep a late job of a whole-process loop for the next such run, or give it to the current one. For the loops
    /// beside the first one this holds for jobs without an actor only: the others keep their order elsewhere.
    static func keep(
      _ job: UnownedJob, _ role: LateJobs.Role, of intake: LoopIntake, at deadline: Int64?
    ) -> Bool {
      let late: Waiting
      switch role {
      case .task: late = Waiting(job: job, tag: .taskJob, deadline: deadline)
      case .serial: late = Waiting(job: job, tag: .serialJob, deadline: deadline)
      }
      let current: LoopIntake?? = state.withLock { state in
        let isOrdinary = late.tag == .taskJob
        guard intake.hasProcess || intake.isMember && isOrdinary else { return nil }
        if state.current == nil { state.waiting.append(late) }
        return .some(state.current)
      }
      guard let current else { return false }
      guard let current else { return true }
      if !late.post(to: current) { state.withLock { $0.waiting.append(late) } }
      return true
    }

    /// Give a sleeping job to the platform's executor, which has timers of its own.
    static func enqueueOnPlatform(_ job: UnownedJob, at deadline: Int64) {
      guard let executor = platformExecutor as? any SchedulingExecutor else { return platformExecutor.enqueue(job) }
      let delay = Duration.nanoseconds(MonotonicTime.remaining(to: deadline))
      executor.enqueue(ExecutorJob(job), after: delay, tolerance: nil, clock: ContinuousClock())
    }

    /// Refuse the take-over if tasks ran before, or if that cannot be told.
    private static func checkRuntimeIsUntouched() throws(EventLoopError) {
      switch RuntimeProbe.isRuntimeUntouched() {
      case true?: return
      case false?:
        throw EventLoopError(
          .runtimeAlreadyStarted,
          "AsyncIO.run: tasks ran before it, so the Swift runtime already has its executors. Call it first thing from "
            + "a synchronous main (or conform to AsyncProgram), or use loop.run { } or, in a task, "
            + "`try await AsyncIO.run { }` inside this program.")
      case nil:
        throw EventLoopError(
          .runtimeAlreadyStarted,
          "AsyncIO.run: this Swift runtime does not tell whether tasks ran before it, and a late take-over would hang "
            + "the program. Use loop.run { } or, in a task, `try await AsyncIO.run { }` inside this program.")
      }
    }

    /// True if the runtime has these as its executors.
    static func hasRuntimeTaken(main: AnyObject, ordinary: AnyObject) -> Bool {
      (MainActor.executor as AnyObject) === main && (Task.defaultExecutor as AnyObject) === ordinary
    }

    private struct Factory: ExecutorFactory {
      static var mainExecutor: any MainExecutor { installing.main }
      static var defaultExecutor: any TaskExecutor { installing.ordinary }

      private static var installing: Executors {
        guard let executors = state.withLock({ $0.installing }) else {
          preconditionFailure("the runtime asked for its executors outside of a take-over")
        }
        return executors
      }
    }
  }
#endif

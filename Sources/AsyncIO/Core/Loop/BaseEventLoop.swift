internal import CAsyncIO
package import Logging
internal import Synchronization
internal import SystemPackage

/// The core that all loops of this package share: ``SelectorEventLoop`` over readiness, ``ProactorEventLoop`` over
/// completions. A mechanism of readiness of your own becomes a loop by ``SelectorEventLoop/init(selector:)``.
///
/// One turn is: wait (not at all if something is ready), deliver completions, empty the inbox, move due timers to the
/// queue, run what is queued. Handles and jobs are in one queue; the number of entries is taken when the running
/// starts, and of what is added meanwhile only jobs are run in the same turn, up to a budget, and only while no handle
/// is ahead of them. So a callback that schedules itself lets I/O in, and a chain of awaits does not pay a poll for
/// every link.
///
/// Thread rules: state without a lock belongs to the thread that runs the loop. Runs follow each other through an
/// atomic word, which orders what one thread wrote before what the next one reads; while the loop does not run
/// everything goes through the locked inbox. That is what makes the unchecked conformance right.
open class BaseEventLoop: EventLoop, @unchecked Sendable {
  enum Lifecycle {
    static let idle: UInt8 = 0
    static let running: UInt8 = 1
    static let closed: UInt8 = 2
  }

  final let backend: any IOBackend
  final let intake: LoopIntake
  final let taskFacade: TaskFacade
  /// Its own, or the facade of the process. Changes once at most, before the run.
  @exclusivity(unchecked) final private(set) var serialFacade: SerialFacade
  /// The facade that it was made with: actors may be pinned to it.
  private final var firstFacade: SerialFacade?

  // Hot state without exclusivity checks, see the thread rules above.
  @exclusivity(unchecked) final var ready = ReadyQueue()
  @exclusivity(unchecked) final var timers = TimerHeap()
  @exclusivity(unchecked) final var spareHandles = SpareHandles()
  /// Callbacks without handles. A word in the queue says that the next one of these is due.
  @exclusivity(unchecked) final var posted = FirstInFirstOut<PostedCallback>()
  @exclusivity(unchecked) final var deferred: [DeferredOperation] = []
  /// Tasks that let others run; they go on in the next turn.
  @exclusivity(unchecked) final var yielding: [UnsafeContinuation<Void, Never>] = []
  /// The rest of the running task's share, see `Checkpoint.swift`.
  @exclusivity(unchecked) final var stepShare: Int32 = 0
  @exclusivity(unchecked) final var isStopping = false
  @exclusivity(unchecked) final var spareWords = Inbox.Words()
  /// The number of runs begun and turns made.
  @exclusivity(unchecked) final var runs: UInt64 = 0
  /// The process that made the last run, see `casyncio_fork_generation()`.
  @exclusivity(unchecked) final var runGeneration: UInt64 = 0
  @exclusivity(unchecked) final var turns: UInt64 = 0
  @exclusivity(unchecked) final var watches: [Int32: Watched] = [:]
  /// Tells watched files apart if the numbers cannot. Made when it is first needed.
  @exclusivity(unchecked) final var witness: FileWitness?
  /// The objects that have to end with the loop.
  @exclusivity(unchecked) final var residents: [ObjectIdentifier: LoopResident] = [:]

  /// Tells it from the other loops of the process.
  final let number = LoopNumbers.next()
  /// What the loop notes for those who look at it, if it is watched.
  package final let gauge: LoopGauge
  final let lifecycle = Atomic<UInt8>(Lifecycle.idle)
  /// Why the loop is watched, see ``WatchReasons``: 0 on the fast path.
  final let watchReasons = Atomic<UInt8>(0)
  final let slowCallbackNanoseconds = Atomic<Int64>(100_000_000)
  final let shared = Lock(SharedState())
  /// Spares most calls of `createTask` the lock.
  final let hasTaskFactory = Atomic<Bool>(false)
  /// Held while a descriptor number is given back, and while another thread uses one, see `withNumber`.
  final let numbers = Lock(UInt8(0))
  /// Sockets of the system, or of a simulated network. Set while the loop is made.
  @exclusivity(unchecked) package final var sockets: any SocketCalls = SystemSockets.shared
  /// Decides the order of jobs, if it is not the order in which they came. Set while the loop is made.
  @exclusivity(unchecked) package final var turnObserver: (any TurnObserver)?
  /// True if this loop is the default executor of the process. Set once, before its run.
  @exclusivity(unchecked) final var isProcessWide = false
  /// The executor of tasks without a preference: the runtime compares it with its default executor at every switch, and
  /// a different one goes through the queue once more. The task facade, unless a ``LoopRouter`` has the process. Set
  /// once, before the run.
  @exclusivity(unchecked) final var ordinaryExecutor: UnownedTaskExecutor
  /// Holds what `ordinaryExecutor` refers to, if that is a router.
  @exclusivity(unchecked) final var router: LoopRouter?
  /// What a poll brings, apart from what its callbacks queue, see `runInOrder`.
  @exclusivity(unchecked) final var arrivals = ReadyQueue()
  @exclusivity(unchecked) final var keepsArrivalsApart = false
  /// Runs the callbacks of another runtime. Set once, before the run.
  @exclusivity(unchecked) final var embedded: EmbeddedCallbacks?
  /// Takes the reports. Replace it before the loop is used, if at all.
  package final var logger = Logger(label: "asyncio")

  /// Settings and services that any thread may touch.
  struct SharedState {
    var exceptionHandler: ExceptionHandler?
    var taskFactory: (any TaskFactory)?
    var defaultExecutor: ThreadPool?
    var executorIsShutDown = false
    /// What the rooms above have begun for the loop from any thread, and what ends with it, by the type that does so.
    var services: [ObjectIdentifier: LoopResident] = [:]
    /// Replaces the system's resolver.
    var nameService: NameService?
    /// Look-ups happen there instead of in the resolver's threads.
    var nameThreads: ThreadPool?
  }

  /// Make a loop over a backend, which it then owns.
  package init(backend: any IOBackend) {
    RuntimeKnowledge.prepare()
    self.backend = backend
    intake = LoopIntake(backend)
    gauge = LoopGauge(number: number, intake: intake)
    taskFacade = TaskFacade(intake)
    serialFacade = SerialFacade(intake)
    ordinaryExecutor = taskFacade.unowned
    intake.attach(self)
    if Environment.debug { watch(for: .debug) }
    LoopCensus.enter(gauge)
    LiveCounters.loops.add(1, ordering: .relaxed)
    casyncio_ignore_sigpipe()
  }

  deinit {
    if !isClosed {
      logger.warning("an event loop was dropped without close(); its descriptors are closed now")
      closeNow()
    }
    LoopCensus.leave(number)
    LiveCounters.loops.subtract(1, ordering: .relaxed)
  }

  /// Call back, in the thread of the post, for each post from a thread that does not run the loop. Set while the loop
  /// is made.
  package final func onForeignPost(_ body: @escaping @Sendable () -> Void) { intake.foreignPost = body }

  /// Make the loop put jobs away after its close instead of giving them to other executors. In the loop's thread.
  package final func putLateJobsAway() {
    assertLoopThread()
    intake.putsLateJobsAway = true
  }

  /// Adopt the process's serial facade. Before the run.
  final func adopt(_ facade: SerialFacade) {
    assert(firstFacade == nil && !isRunning, "a loop adopts one facade, before its run")
    firstFacade = serialFacade
    serialFacade = facade
  }

  // MARK: State

  /// True while a thread runs the loop. Any thread. Answers `is_running`.
  public final var isRunning: Bool { lifecycle.load(ordering: .acquiring) == Lifecycle.running }
  /// True once the loop was closed, for good. Any thread. Answers `is_closed`.
  public final var isClosed: Bool { lifecycle.load(ordering: .acquiring) == Lifecycle.closed }

  /// True in the thread that runs this loop, while it runs.
  @inline(__always)
  final var isRunningInThisThread: Bool { intake.isRunningInThisThread }

  /// True where the state without a lock may be touched: in the thread that runs the loop, and in the one that sets up
  /// or closes a loop that does not run; in the child of a fork that is the only one there is.
  final var isLoopThread: Bool { isRunningInThisThread || !isRunning || isForked }

  /// True in the child of a fork that was made while the loop ran: the thread that ran it is the parent's.
  final var isForked: Bool { isRunning && runGeneration != casyncio_fork_generation() }

  /// Trap in debug builds where ``isLoopThread`` is false. For rules of this package: what a caller can do wrong is an
  /// error instead.
  @inline(__always)
  final func assertLoopThread(file: StaticString = #fileID, line: UInt = #line) {
    assert(isLoopThread, "this belongs to the thread that runs the event loop", file: file, line: line)
  }

  /// What the backend offers.
  package final var capabilities: IOCapabilities { backend.capabilities }

  /// The name of the mechanism below: "epoll", "poll".
  public final var backendName: String { backend.name }

  /// The executor of the loop's tasks. Any thread.
  public final var taskExecutor: any TaskExecutor { taskFacade }
  /// The executor of actors that are pinned to the loop. Any thread.
  public final var serialExecutor: any SerialExecutor { serialFacade }

  /// How long a callback or job may take before it is logged in debug mode. Any thread. Answers
  /// `slow_callback_duration`.
  public final var slowCallbackDuration: Duration {
    get { .nanoseconds(slowCallbackNanoseconds.load(ordering: .relaxed)) }
    set { slowCallbackNanoseconds.store(newValue.saturatedNanoseconds, ordering: .relaxed) }
  }

  /// The time on the clock of the loop; a simulation overrides it.
  open func time() -> EventLoopInstant { EventLoopInstant(nanoseconds: casyncio_monotonic_nanoseconds()) }

  /// Start a task that stays on this loop. A preference for an executor costs a locked look-up at every suspension
  /// (some 900 instructions for a message of an echo); if the loop is the default executor no preference is needed.
  ///
  /// Generic, so that the closure has the shape that the runtime wants: otherwise each task has two more frames for
  /// thunks.
  @inline(__always)
  final func startTask<Value: Sendable>(
    _ body: sending @escaping @isolated(any) () async -> Value
  ) -> Task<Value, Never> {
    isProcessWide ? Task(operation: body) : Task(executorPreference: taskFacade, operation: body)
  }

  /// Add what a poll has brought to the loop's queue; loop thread only.
  @inline(__always)
  final func pushArrival(_ word: LoopWord) {
    if keepsArrivalsApart { arrivals.push(word) } else { ready.push(word) }
  }

  /// Add a word to the loop's queue; loop thread only.
  @inline(__always)
  final func pushReady(_ handle: Handle) {
    assertLoopThread()
    ready.push(LoopWord(handle, .handle))
  }
}

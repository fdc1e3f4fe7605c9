internal import CAsyncIO
internal import Logging
internal import Synchronization

// How the end of a child is noticed. The traps:
//
// - SIGCHLD belongs to the whole process, comes once for many children, and needs a loop in the main thread. So it is
//   not used: each child has a descriptor that is readable when it has ended (Linux 5.3), and any loop can wait for it.
//   Sandboxes may forbid that, so it is tried once. Where it does not work, a thread waits for the child and then closes
//   its end of a pipe, and the loop waits for the other end. All the rest is the same.
// - A number of a process is given out again when its status was taken. So the status is taken in one place, under the
//   lock under which signals are sent, and after it no signal is.
// - Other code of the process may take the status. Then there is none: that is said, and nobody waits for ever.
// - A child that nobody owns any more is killed, and somebody has to take its status, or it stays in the system's table.
//   While its loop lives the watch does that, whoever has forgotten it; a closed loop leaves it to a thread.

/// Watches one child until its status was taken, and signals it. Any thread may call it: the state is under a lock, and
/// the descriptor's operation belongs to the loop's thread or to the one that closes the loop. That is what makes the
/// unchecked conformance right.
final class ChildWatch: OperationObserver, @unchecked Sendable {
  struct State {
    var status: TerminationStatus?
    /// The process descriptor while it is open; -1 where there is none.
    var processDescriptor: Int32
    /// The loop was closed first.
    var isAbandoned = false
    var nextWaiter: UInt64 = 0
    var waiters: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    var callbacks: [@Sendable () -> Void] = []
  }

  let process: Int32
  /// It leads a process group, which ends with it.
  let leadsGroup: Bool
  private let ready: IOOperation
  /// In the child of a fork the process is a sibling, and none of its business.
  private let forkGeneration = casyncio_fork_generation()
  private let state: Lock<State>

  init(_ child: SpawnedChild, on core: BaseEventLoop) {
    process = child.process
    leadsGroup = child.leadsGroup
    ready = IOOperation(.ready, on: IODescriptor(child.watch, loop: core))
    state = Lock(State(processDescriptor: child.watchesProcess ? child.watch : -1))
    super.init()
    LiveCounters.childWatches.add(1, ordering: .relaxed)
    core.perform { loop in
      self.begin(on: loop)
    } dropped: {
      self.abandon()
    }
  }

  deinit { LiveCounters.childWatches.subtract(1, ordering: .relaxed) }

  /// Nil while the child runs, as far as is known.
  var status: TerminationStatus? { state.withLock { $0.status } }

  /// Somebody waits for the end.
  var isAwaited: Bool { state.withLock { !$0.waiters.isEmpty } }

  // MARK: Watching

  private func begin(on core: BaseEventLoop) {
    // Alive until the operation has ended, also when everybody has forgotten the child.
    _ = Unmanaged.passRetained(self)
    ready.observer = .passUnretained(self)
    ready.sequence &+= 1
    if core.backend.submit(ready) { operationEnded(ready) }
  }

  override func operationEnded(_ operation: IOOperation) {
    operation.observer = nil
    if operation.result == -Int(ECANCELED) {
      // Only the close of the loop does that.
      abandon()
    } else {
      if operation.result >= 0, takeStatus() {
        if status == .lost { warnOfLoss(operation.descriptor.loop) }
      } else {
        // The system cannot say when (a debugger has the child, or the descriptor cannot be waited for): a thread can.
        state.withLock { $0.processDescriptor = -1 }
        Thread.detach(name: "asyncio child") { self.waitBlocking() }
      }
      operation.descriptor.close()
    }
    Unmanaged.passUnretained(self).release()
  }

  private func warnOfLoss(_ core: BaseEventLoop) {
    core.logger.warning(
      """
      the status of child process \(process) was taken by other code of this program; it is reported as 255. Do not \
      wait for any child (waitpid(-1)), and do not ignore SIGCHLD.
      """)
  }

  /// Takes the status if the child has ended. `false`: it has not.
  private func takeStatus() -> Bool {
    finish { state in
      if state.status != nil { return true }
      var end = casyncio_child_end()
      switch casyncio_process_wait(Int64(process), state.processDescriptor, 0, &end) {
      case 0: return false
      case 1: state.status = end.signal != 0 ? .signaled(end.signal) : .exited(end.status)
      default: state.status = .lost
      }
      return true
    }
  }

  /// The descriptor goes, and with it the way to signal by it.
  private func finish(_ change: (inout State) -> Bool) -> Bool {
    var woken: [UnsafeContinuation<Void, Never>] = []
    var called: [@Sendable () -> Void] = []
    let hasEnded = state.withLock { state in
      guard change(&state) else { return false }
      state.processDescriptor = -1
      woken = state.waiters.sorted { $0.key < $1.key }.map(\.value)
      called = state.callbacks
      state.waiters = [:]
      state.callbacks = []
      return true
    }
    for waiter in woken { waiter.resume() }
    for callback in called { callback() }
    return hasEnded
  }

  private func waitBlocking() {
    var end = casyncio_child_end()
    _ = casyncio_process_wait(Int64(process), -1, UInt32(CASYNCIO_WAIT_BLOCKING | CASYNCIO_WAIT_KEEP), &end)
    _ = takeStatus()
  }

  /// The loop is closed: nobody can wait for the child any more, so it ends, and a thread takes its status. The loop
  /// is not touched, it may be on its way out; and it is done with the number.
  private func abandon() {
    kill()
    _ = finish { state in
      state.isAbandoned = true
      return true
    }
    _ = CAsyncIO.close(ready.descriptor.fileDescriptor)
    if !Self.reapers.submit({ self.waitBlocking() }) { waitBlocking() }
  }

  private static let reapers = ThreadPool(maximumThreads: 4, name: "asyncio reap", idleTime: .milliseconds(100))

  // MARK: Waiting

  /// Suspends until the status was taken, or the loop is closed, or the task is cancelled. The isolation is handed to
  /// the closure by hand, see `BaseEventLoop.completeCancellably`.
  func wait(isolation: isolated (any Actor)? = #isolation) async {
    let number = nextNumber()
    await withTaskCancellationHandler {
      _ = isolation
      return await withUnsafeContinuation { waiter in
        addWaiter(number, waiter)
        if Task.isCancelled { removeWaiter(number) }
      }
    } onCancel: {
      removeWaiter(number)
    }
  }

  /// The same, whether the task is cancelled or not.
  func waitToEnd() async {
    await withUnsafeContinuation { waiter in addWaiter(nextNumber(), waiter) }
  }

  private func nextNumber() -> UInt64 {
    state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
  }

  private func addWaiter(_ number: UInt64, _ waiter: UnsafeContinuation<Void, Never>) {
    let waits = state.withLock { state in
      guard state.status == nil, !state.isAbandoned else { return false }
      state.waiters[number] = waiter
      return true
    }
    if !waits { waiter.resume() }
  }

  private func removeWaiter(_ number: UInt64) {
    state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
  }

  /// Calls back, in any thread, when the status was taken or the loop is closed; at once if that is so now.
  func whenEnded(_ callback: @escaping @Sendable () -> Void) {
    let isNow = state.withLock { state in
      guard state.status == nil, !state.isAbandoned else { return true }
      state.callbacks.append(callback)
      return false
    }
    if isNow { callback() }
  }

  // MARK: Signals

  /// Sends a signal. `false`: the child has ended.
  func send(_ signal: Int32) throws -> Bool {
    let status = state.withLock { state in
      guard state.status == nil, forkGeneration == casyncio_fork_generation() else { return -ESRCH }
      return casyncio_process_signal(Int64(process), state.processDescriptor, signal)
    }
    switch -status {
    case 0: return true
    case ESRCH: return false
    case EINVAL:
      throw EventLoopError(.invalidArgument, "sendSignal: \(signal) is not a signal number.")
    default: throw IOError(result: Int(status), "sendSignal", "\(signal) to process \(process)")
    }
  }

  /// Ends the child, with its process group if it leads one.
  func kill() {
    state.withLock { state in
      guard state.status == nil, forkGeneration == casyncio_fork_generation() else { return }
      // A number whose status other code took may be somebody else's: the descriptor knows, and a group has none.
      let isThere = casyncio_process_signal(Int64(process), state.processDescriptor, SIGKILL) == 0
      if isThere && leadsGroup { _ = casyncio_group_signal(Int64(process), SIGKILL) }
    }
  }
}

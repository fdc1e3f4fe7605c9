internal import CAsyncIO
internal import Logging
internal import Synchronization

// How the end of a child is noticed. The traps:
//
// - SIGCHLD belongs to the whole process, comes once for many children, and needs a loop in the main thread. So it is
//   not used: each child has a descriptor that is readable when it has ended (Linux 5.3), and any loop can wait for it.
//   Sandboxes may forbid that, so it is tried once. Where it does not work, a thread waits for the child and then
//   closes its end of a pipe, and the loop waits for the other end. All the rest is the same.
// - The number of a process is reused once its status was taken. So the status is taken in one place, under the same
//   lock under which signals are sent, and no signal is sent after that.
// - A process group has the number of its leader, and outlives it. So the status of a leader is looked at and not taken
//   while the child has an owner: as long as the system keeps the entry the number is not reused, and the group can be
//   ended.
// - Other code of the process may take the status. Then there is none: the result says so, and no task waits for ever.
// - A child that has lost its owner is killed, and its status has to be taken, or it stays in the system's table. While
//   its loop lives the watch does that, even if the program has forgotten the child; a closed loop leaves it to a
//   thread.

/// Watches one child until its status is known, signals it, and makes sure that its status is taken. Any thread may
/// call it: the state is under a lock, and the descriptor's operation belongs to the loop's thread or to the thread
/// that closes the loop. That is what makes the unchecked conformance right.
final class ChildWatch: OperationObserver, @unchecked Sendable {
  struct State {
    var status: TerminationStatus?
    /// True once the system has released the number: it may be another process's.
    var isTaken = false
    /// True once the child has lost its owner.
    var isReleased = false
    /// The leaders of the loop, this child among them; set at the first step on the loop.
    var leaders: GroupLeaders?
    /// The process descriptor while it is open; -1 where there is none.
    var processDescriptor: Int32
    /// True if the loop was closed first.
    var isAbandoned = false
    var waiters = Waiters<Void>()
    var numbers = WaitNumbers()
    var callbacks: [@Sendable () -> Void] = []
  }

  let process: Int32
  /// True if it leads a process group, which ends with it.
  let leadsGroup: Bool
  private let ready: IOOperation
  /// In the child of a fork the process is a sibling, which this process may not touch.
  let forkGeneration = casyncio_fork_generation()
  let state: Lock<State>

  init(_ child: SpawnedChild, on core: BaseEventLoop) {
    process = child.process
    leadsGroup = child.leadsGroup
    ready = IOOperation(.ready, on: IODescriptor(child.watch, loop: core))
    state = Lock(State(processDescriptor: child.watchesProcess ? child.watch : -1))
    super.init()
    LiveCounters.childWatches.add(1, ordering: .relaxed)
    ChildCensus.enter(process, on: core)
    if !child.nonBlocking.isEmpty { warnOfMode(child.nonBlocking, core) }
    Self.lookAtThoseLeft()
    core.perform { loop in
      self.begin(on: loop)
    } dropped: {
      self.abandon()
    }
  }

  deinit { LiveCounters.childWatches.subtract(1, ordering: .relaxed) }

  /// Nil while the child runs, as far as is known.
  var status: TerminationStatus? { state.withLock { $0.status } }

  /// True if a task waits for the end.
  var isAwaited: Bool { state.withLock { !$0.waiters.isEmpty } }

  // MARK: Watching

  private func begin(on core: BaseEventLoop) {
    // Alive until the operation has ended, even if the program has forgotten the child.
    _ = Unmanaged.passRetained(self)
    if leadsGroup {
      let leaders = GroupLeaders.of(core)
      leaders.add(self)
      state.withLock { $0.leaders = leaders }
    }
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
        // The system cannot report it (a debugger has the child, or the descriptor cannot be waited for): a thread can.
        state.withLock { $0.processDescriptor = -1 }
        waitInThread(on: operation.descriptor.loop)
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

  private func warnOfMode(_ descriptors: [Int32], _ core: BaseEventLoop) {
    core.logger.warning(
      """
      child process \(process) shares descriptors \(descriptors) with this program, which has made them non-blocking: \
      its reads and writes may fail with EAGAIN. Give it pipes, or close the PipeReader or PipeWriter first.
      """)
  }

  /// Take the status if the child has ended; a group leader's stays with the system while the child has an owner.
  /// Returns `false` if the child has not ended.
  func takeStatus() -> Bool {
    finish { state in
      if state.status != nil { return true }
      let stays = leadsGroup && !state.isReleased
      var end = casyncio_child_end()
      let flags = stays ? UInt32(CASYNCIO_WAIT_KEEP) : 0
      switch casyncio_process_wait(Int64(process), state.processDescriptor, flags, &end) {
      case 0: return false
      case 1:
        state.status = end.signal != 0 ? .signaled(end.signal) : .exited(end.status)
        state.isTaken = !stays
      default:
        state.status = .lost
        state.isTaken = true
      }
      return true
    }
  }

  /// Remove a leader whose status was taken: it leads nothing any more.
  func leaveLeaders() {
    let leaders = state.withLock { state -> GroupLeaders? in
      guard state.isTaken else { return nil }
      defer { state.leaders = nil }
      return state.leaders
    }
    leaders?.remove(self)
  }

  /// Finish: the descriptor is closed, and no signal can be sent by it any more.
  private func finish(_ change: (inout State) -> Bool) -> Bool {
    var woken: [UnsafeContinuation<Void, Never>] = []
    var called: [@Sendable () -> Void] = []
    let hasEnded = state.withLock { state in
      guard change(&state) else { return false }
      state.processDescriptor = -1
      woken = state.waiters.removeAll()
      called = state.callbacks
      state.callbacks = []
      return true
    }
    if hasEnded { ChildCensus.leave(process) }
    leaveLeaders()
    for waiter in woken { waiter.resume() }
    for callback in called { callback() }
    return hasEnded
  }

  func waitBlocking() {
    var end = casyncio_child_end()
    _ = casyncio_process_wait(Int64(process), -1, UInt32(CASYNCIO_WAIT_BLOCKING | CASYNCIO_WAIT_KEEP), &end)
    _ = takeStatus()
  }

  /// Abandon the child, as its loop is closed and no task can wait for it any more: it is killed, and a thread takes
  /// its status. This does not touch the loop, which may be on its way out and does not use the number any more.
  private func abandon() { abandon(closing: ready.descriptor.fileDescriptor) }

  func abandon(closing descriptor: Int32?) {
    kill()
    let number = state.withLock { $0.processDescriptor }
    let mayBeKilled = casyncio_process_signal(Int64(process), number, 0) == 0
    _ = finish { state in
      state.isAbandoned = true
      return true
    }
    if let descriptor { closeNumber(descriptor) }
    reap(mayBlock: mayBeKilled)
  }

  // MARK: Waiting

  /// Suspend until the status was taken, the loop is closed, or the task is cancelled.
  func wait(isolation: isolated (any Actor)? = #isolation) async {
    let id = state.withLock { $0.numbers.next() }
    await waitCancellably(
      id, cancelled: (), enter: { waiter in self.admit(id, waiter) },
      leave: { id in self.state.withLock { $0.waiters.remove(id) } })
  }

  /// Do the same whether the task is cancelled or not.
  func waitToEnd() async {
    let id = state.withLock { $0.numbers.next() }
    await waitUncancellably { waiter in
      if case .now = admit(id, waiter) { waiter.resume() }
    }
  }

  private func admit(_ id: UInt64, _ waiter: Waiters<Void>.Continuation) -> Admission<Void> {
    state.withLock { state in
      guard state.status == nil, !state.isAbandoned else { return .now(()) }
      state.waiters.append(id, waiter)
      return .waits
    }
  }

  /// Call back, in any thread, when the status was taken or the loop is closed; at once if that has happened.
  func whenEnded(_ callback: @escaping @Sendable () -> Void) {
    let isNow = state.withLock { state in
      guard state.status == nil, !state.isAbandoned else { return true }
      state.callbacks.append(callback)
      return false
    }
    if isNow { callback() }
  }
}

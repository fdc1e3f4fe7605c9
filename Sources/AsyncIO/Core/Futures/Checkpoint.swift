internal import CAsyncIO

// Where tasks can be cancelled and where they let others run: on entry to every suspending call of the library, whether
// or not it then has to wait. The traps:
//
// - An operation that can be done at once never suspends. A task of such operations alone, with a peer that keeps up,
//   would go on for ever: nothing would check its cancellation, and no timer that asks for it could fire.
// - The check comes before anything is taken. After that, a byte, a lock or an element would be lost with the error.
// - A check is some twenty instructions, a turn of the loop is a system call. So a task checks in every call and lets
//   others run once in many, and the weight of a call says how often: one that goes to the system counts as much as
//   four that find what they want in memory.
// - The count begins anew with each step of a task. A task that had to wait has let others run.
// - A task that runs elsewhere does not hold up the loop, and lets nothing run.
// - The errors are untyped. The compiler does not know the size of a CancellationError, so a typed one would take
//   memory of the task in each call, thrown or not.

/// True if the task that runs here was cancelled; false outside of tasks. Like `Task.isCancelled`, without its retains.
@inline(__always)
func isCurrentTaskCancelled() -> Bool {
  guard let task = casyncio_current_task() else { return false }
  return casyncio_is_task_cancelled(task)
}

/// Throw `CancellationError` in a task that was cancelled. Like `Task.checkCancellation()`, without its retains.
@inline(__always)
func checkCancellation() throws {
  if isCurrentTaskCancelled() { throw CancellationError() }
}

/// Begin a suspending call that is not an operation: throw `CancellationError` in a task that was cancelled, and let
/// others run if the task has made many such calls without a wait.
@inline(__always)
func checkpoint() async throws {
  try checkCancellation()
  guard let running = LoopIntake.running, running.withCore({ $0.spend(BaseEventLoop.callWeight) }) else { return }
  await running.core.letOthersIn()
  try checkCancellation()
}

/// Do the same for calls whose frames are memory of every idle connection: what it needs is in a frame of its own.
@inline(never)
func checkpointApart() async throws { try await checkpoint() }

extension BaseEventLoop {
  /// What a task may spend in one step before others have their turn.
  static var stepShare: Int32 { 128 }
  /// The cost of an operation that ended at once.
  static var operationWeight: Int32 { 4 }
  /// The cost of a call that needs no operation.
  static var callWeight: Int32 { 1 }

  /// Count a call of the running task that did not have to wait. Returns `true` if its share is used up. Loop thread.
  @inline(__always)
  final func spend(_ weight: Int32) -> Bool {
    assertLoopThread()
    stepShare -= weight
    return stepShare <= 0
  }

  /// Suspend the calling task until the next turn, after a poll. Loop thread; a loop that closes ends the wait.
  @inline(never)
  final func letOthersIn() async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      assertLoopThread()
      yielding.append(continuation)
    }
  }
}

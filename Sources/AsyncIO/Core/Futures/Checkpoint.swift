internal import CAsyncIO

// Where tasks can be cancelled and where they let others in: on the entry of every suspending call of the library,
// whether or not it then has to wait. The traps:
//
// - An operation that can be done at once never suspends. A task of such operations alone, with a peer that keeps up,
//   would go on for ever: nobody would look at its cancellation, and no timer could fire that asks for it.
// - The look comes before anything is taken. Behind it a byte, a lock or an element would be lost with the error.
// - A look is some twenty instructions, a turn of the loop is a system call. So a task looks in every call and lets
//   others in once in many, and what a call weighs says how often: one that goes to the system as much as four that
//   find what they want in memory.
// - The count begins anew with each step of a task. One that had to wait has let others in.
// - A task that runs elsewhere holds no loop up, and lets nobody in.
// - The errors are untyped. The compiler does not know the size of a CancellationError, so a typed one would take
//   memory of the task in each call, thrown or not.

/// True if the task that runs here was cancelled; false outside of tasks. As `Task.isCancelled`, without its retains.
@inline(__always)
func isCurrentTaskCancelled() -> Bool {
  guard let task = casyncio_current_task() else { return false }
  return casyncio_is_task_cancelled(task)
}

/// Throws `CancellationError` in a task that was cancelled. As `Task.checkCancellation()`, without its retains.
@inline(__always)
func checkCancellation() throws {
  if isCurrentTaskCancelled() { throw CancellationError() }
}

/// What a suspending call that is no operation does first: throws `CancellationError` in a task that was cancelled, and
/// lets others in when the task has made many such calls without a wait.
@inline(__always)
func checkpoint() async throws {
  try checkCancellation()
  guard let running = LoopIntake.running, running.withCore({ $0.spend(BaseEventLoop.callWeight) }) else { return }
  await running.core.letOthersIn()
  try checkCancellation()
}

/// The same, for calls whose frames are memory of every idle connection: what it needs stands in a frame of its own.
@inline(never)
func checkpointApart() async throws { try await checkpoint() }

extension BaseEventLoop {
  /// What a task may spend in one step before others get their turn.
  static var stepShare: Int32 { 128 }
  /// What an operation costs that ended at once.
  static var operationWeight: Int32 { 4 }
  /// What a call costs that needs no operation.
  static var callWeight: Int32 { 1 }

  /// Counts a call of the running task that did not have to wait. `true`: its share is used up. Loop thread.
  @inline(__always)
  final func spend(_ weight: Int32) -> Bool {
    stepShare -= weight
    return stepShare <= 0
  }

  /// Suspends the calling task until the next turn, after a poll. Loop thread; a loop that closes ends the wait.
  @inline(never)
  final func letOthersIn() async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in yielding.append(continuation) }
  }
}

// The one way to suspend a task until something happens or the task is cancelled. The traps:
//
// - A cancellation may come before the task is registered where the event will find it. Its handler then found nothing.
//   So the cancellation is asked for again after the registration.
// - Without an isolation the closure of `withTaskCancellationHandler` runs wherever the task prefers, and for an actor
//   of the loop whose task has no preference that is a thread of the pool: what belongs to the loop's thread would be
//   touched elsewhere, and the event could come before the task waits for it. So the isolation is passed to the closure
//   by hand.
//
// Some waits have a form of their own. `BaseEventLoop.completeCancellably` is on the path of a message, and what it
// needs is kept out of the frames of idle tasks. A served connection has one record of its cancellation for all it ever
// waits for, see `ConnectionServer`. And what passes a cancellation on to a future or a task does so once, because both
// count their cancellations: `Future.get`, time limits, a run in a thread of its own. It need not ask again, because
// a cancelled future is done, and a cancelled task ends.

/// Suspend until the continuation is resumed.
///
/// - Parameters:
///   - enter: keeps the continuation, or resumes it at once. It runs in the caller's isolation.
///   - cancel: asks for the end of the wait, once or twice, in any thread: when the task is cancelled, and after
///     `enter` in a task that is cancelled by then. It does nothing to a wait that has ended or has not begun.
@inline(__always)
func suspendCancellably<Outcome: Sendable>(
  isolation: isolated (any Actor)? = #isolation,
  _ enter: (UnsafeContinuation<Outcome, Never>) -> Void,
  onCancel cancel: @Sendable () -> Void
) async -> Outcome {
  await withTaskCancellationHandler {
    _ = isolation
    return await withUnsafeContinuation { (continuation: UnsafeContinuation<Outcome, Never>) in
      enter(continuation)
      if Task.isCancelled { cancel() }
    }
  } onCancel: {
    cancel()
  }
}

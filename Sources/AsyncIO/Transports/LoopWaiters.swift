/// Tasks that wait for something to happen to an object of a loop.
///
/// Right as unchecked because it is used in the loop's thread, or in the thread that closes the loop; a cancellation
/// goes there.
final class LoopWaiters: @unchecked Sendable {
  private var waiters = Waiters<Void>()
  private var numbers = WaitNumbers()

  /// Suspend until `resumeAll` is called or the task is cancelled; not at all if the event has already happened.
  func wait(
    on core: BaseEventLoop, isolation: isolated (any Actor)? = #isolation, unless hasHappened: () -> Bool
  ) async {
    let id = numbers.next()
    await suspendCancellably { continuation in
      if hasHappened() || Task.isCancelled || core.isClosed {
        continuation.resume()
      } else {
        waiters.append(id, continuation)
      }
    } onCancel: {
      core.perform { _ in self.waiters.remove(id)?.resume() }
    }
  }

  /// Do the same in a task that waits even though it is cancelled.
  func waitToTheEnd(unless hasHappened: () -> Bool) async {
    let id = numbers.next()
    await waitUncancellably { continuation in
      if hasHappened() { continuation.resume() } else { waiters.append(id, continuation) }
    }
  }

  func resumeAll() {
    for continuation in waiters.removeAll() { continuation.resume() }
  }
}

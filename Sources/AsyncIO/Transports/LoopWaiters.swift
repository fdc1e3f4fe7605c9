/// Tasks that wait for something to happen to an object of a loop.
///
/// Right as unchecked because it is used in the loop's thread, or in the thread that closes the loop; a cancellation
/// goes there.
final class LoopWaiters: @unchecked Sendable {
  private final class Key: Sendable {}

  private var entries: [(key: ObjectIdentifier, continuation: UnsafeContinuation<Void, Never>)] = []

  /// Suspend until `resumeAll` is called or the task is cancelled; not at all if the event has already happened. The
  /// isolation is passed to the closure by hand, see `BaseEventLoop.completeCancellably`.
  func wait(
    on core: BaseEventLoop, isolation: isolated (any Actor)? = #isolation, unless hasHappened: () -> Bool
  ) async {
    let key = Key()
    await withTaskCancellationHandler {
      _ = isolation
      return await withUnsafeContinuation { continuation in
        if hasHappened() || Task.isCancelled || core.isClosed {
          continuation.resume()
        } else {
          entries.append((ObjectIdentifier(key), continuation))
        }
      }
    } onCancel: {
      core.perform { _ in self.resume(key) }
    }
  }

  /// Do the same in a task that waits even though it is cancelled.
  func waitToTheEnd(unless hasHappened: () -> Bool) async {
    await withUnsafeContinuation { continuation in
      if hasHappened() {
        continuation.resume()
      } else {
        entries.append((ObjectIdentifier(self), continuation))
      }
    }
  }

  private func resume(_ key: Key) {
    guard let index = entries.firstIndex(where: { $0.key == ObjectIdentifier(key) }) else { return }
    entries.remove(at: index).continuation.resume()
  }

  func resumeAll() {
    let released = entries
    entries = []
    for entry in released { entry.continuation.resume() }
  }
}

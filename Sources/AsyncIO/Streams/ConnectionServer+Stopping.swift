internal import CAsyncIO
internal import Synchronization

// How accepting stops for good: the listener is closed, the task is cancelled or the loop is closed. What is in flight
// in the backend ends by its completion; what waits for a time or for a place is ended here.

extension ConnectionServer {
  /// The operations that wait for a place; they are the caller's now. Any thread, because the last one to leave a
  /// closed loop's server is in another.
  func takeWaiting() -> [IOOperation] {
    members.withLock { members in
      defer { members.waiting = [] }
      return members.waiting
    }
  }

  /// The listener was closed, perhaps while accepting pauses.
  func listenerClosed() {
    guard listener.isClosed else { return }
    stopWaiting()
  }

  /// No more connections, and those that run are cancelled.
  func cancelAll() {
    guard !isCancelled else { return }
    isCancelled = true
    for operation in listener.accepting where accepts(with: operation) { core.backend.cancel(operation) }
    stopWaiting()
    for fd in held { core.sockets.close(fd) }
    held = []
    // Collected first: a cancelled task may leave the list while it is cancelled.
    var running: [ServedConnection] = []
    members.withLock { members in
      var next = members.first
      while let served = next {
        running.append(served)
        next = served.next
      }
    }
    for served in running { served.cancel() }
  }

  /// Ends the accept operations that wait for a time or a place.
  private func stopWaiting() {
    for operation in takeWaiting() { ended(operation) }
    stopPauses()
  }
}

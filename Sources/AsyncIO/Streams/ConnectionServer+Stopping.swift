internal import CAsyncIO
internal import Synchronization

// How accepting stops for good: the listener is closed, the task is cancelled or the loop is closed. Operations in
// flight in the backend end by their completion; those that wait for a time or a place are ended here.

extension ConnectionServer {
  /// Take the operations that wait for a place; the caller then owns them. Any thread, because the last connection to
  /// leave the server of a closed loop leaves in another thread.
  func takeWaiting() -> [IOOperation] {
    members.withLock { members in
      defer { members.waiting = [] }
      return members.waiting
    }
  }

  /// End accepting after the listener was closed, perhaps during a pause.
  func listenerClosed() {
    guard listener.isClosed else { return }
    draining?.listenerClosed()
    stopWaiting()
  }

  /// Accept no more connections, and cancel those that run.
  func cancelAll() {
    core.assertLoopThread()
    guard !isCancelled else { return }
    isCancelled = true
    for operation in listener.accepting where accepts(with: operation) { core.backend.cancel(operation) }
    stopWaiting()
    for fd in held { core.sockets.close(fd) }
    held = []
    // Collected first: a cancelled task may leave the list while it is cancelled.
    for served in running { served.cancel() }
  }

  /// The connections in the list, the latest first.
  var running: [ServedConnection] {
    members.withLock { members in
      var running: [ServedConnection] = []
      var next = members.first
      while let served = next {
        running.append(served)
        next = served.next
      }
      return running
    }
  }

  /// End the accept operations that wait for a time or a place.
  private func stopWaiting() {
    for operation in takeWaiting() { ended(operation) }
    stopPauses()
  }
}

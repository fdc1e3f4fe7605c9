internal import CAsyncIO
internal import Synchronization

// How accepting stops: for a while, when the system has nothing left to give, and for good, when the listener is
// closed, the task is cancelled or the loop is closed. What is in flight in the backend ends by its completion;
// what waits for a time or for a place is ended here.

extension ConnectionServer {
  /// One report, and one retry after the delay. A listener that is closed meanwhile stays silent.
  func pause(_ operation: IOOperation) {
    report(
      "out of resources for new connections; accepting pauses for \(retryDelay)",
      IOError(result: operation.result, "accept"))
    // Whoever was told may have closed the listener.
    if isOver(operation) { return ended(operation) }
    let pause = AcceptPause(operation, of: self)
    pauses.append(pause)
    core.timers.insert(.node(pause), deadline: core.time().advanced(by: retryDelay).nanoseconds)
  }

  /// Nothing more is to be accepted by the operation: its listener or the loop is closed, or the task is cancelled.
  func isOver(_ operation: IOOperation) -> Bool {
    isCancelled || operation.descriptor.isClosed || core.isClosed
  }

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
    for operation in listener.accepting where operation.state == .inFlight { core.backend.cancel(operation) }
    stopWaiting()
    for fd in held { _ = CAsyncIO.close(fd) }
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
    let stopped = pauses
    pauses = []
    for pause in stopped {
      core.timers.remove(pause)
      ended(pause.operation)
    }
  }
}

/// An accept operation that waits for the end of a shortage. Loop thread, or the thread that closes the loop.
final class AcceptPause: TimerNode {
  let operation: IOOperation
  private let server: ConnectionServer
  var heapIndex = -1

  init(_ operation: IOOperation, of server: ConnectionServer) {
    self.operation = operation
    self.server = server
  }

  func fire() {
    server.pauses.removeAll { $0 === self }
    server.acceptNextTurn(operation)
  }

  func drop() {
    server.pauses.removeAll { $0 === self }
    server.ended(operation)
  }
}

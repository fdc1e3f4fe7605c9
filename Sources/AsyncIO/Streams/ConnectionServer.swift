internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

// One `serve` call. Its traps:
//
// - A task group finds a finished child by walking a list: with 40,000 sleeping children about 290 µs for each that
//   ends. So each connection is a task of its own in a doubly linked list, which finds anything in no time, and the
//   server cancels and awaits them all by that list.
// - A cancellation handler per operation costs as much as the rest of the operation. Nobody but the server can cancel
//   these tasks, so it ends their pending operations itself, and operations of the owning task install no handler.
// - One shortage of descriptors is one report and one retry per second, not one per waiting client.

/// Accepts for one `serve` call and keeps its connections. Loop thread only, but for the list, which late jobs of a
/// closed loop leave from other threads and which is locked, and what happens while the loop is closed; that is what makes the unchecked conformance right.
final class ConnectionServer: OperationObserver, @unchecked Sendable {
  let core: BaseEventLoop
  let listener: StreamListener
  let limit: Int
  /// How long accepting pauses when there are no descriptors.
  let retryDelay: Duration
  let handler: @Sendable (StreamConnection) async throws -> Void

  struct Members {
    unowned(unsafe) var first: ServedConnection?
    var count = 0
    var waiter: UnsafeContinuation<Void, Never>?
    var accepting = 0
    /// Accept operations that wait for a free place, in order of arrival.
    var waiting: [IOOperation] = []
  }

  let members = Lock(Members())
  var isCancelled = false
  /// Connections that were accepted when the last place was just taken by another address's; one at most for each.
  var held: [Int32] = []
  /// Accept operations that wait for the end of a shortage.
  var pauses: [AcceptPause] = []

  init(
    _ listener: StreamListener, limit: Int, retryDelay: Duration = .seconds(1),
    _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) {
    self.listener = listener
    self.limit = limit
    self.retryDelay = retryDelay
    self.handler = handler
    core = listener.core
  }

  deinit {
    // A closed loop took the place away that these were held for.
    for fd in held { _ = CAsyncIO.close(fd) }
  }

  /// Serves until the listener is closed or the task is cancelled. The isolation is handed to the closure by hand, see
  /// `BaseEventLoop.completeCancellably`.
  func run(isolation: isolated (any Actor)? = #isolation) async {
    await withTaskCancellationHandler {
      _ = isolation
      return await withUnsafeContinuation { continuation in
        // A task that was cancelled before has run its handler already; the server then ends as it begins.
        if Task.isCancelled { cancelAll() }
        begin(continuation)
      }
    } onCancel: {
      core.perform { _ in self.cancelAll() }
    }
  }

  // MARK: Accepting

  private func begin(_ waiter: UnsafeContinuation<Void, Never>) {
    members.withLock {
      $0.waiter = waiter
      $0.accepting = listener.accepting.count
    }
    listener.server = self
    // What an earlier `accept()` left: its operations end, its connections are served.
    for operation in listener.accepting where operation.state == .inFlight { core.backend.cancel(operation) }
    for fd in listener.acceptQueue.takeConnections() { start(fd) }
    for operation in listener.accepting {
      operation.observer = .passUnretained(self)
      if isOver(operation) { ended(operation) } else { accept(operation) }
    }
  }

  /// Accepts until it has to wait, the limit is reached, or others must have their turn.
  func accept(_ operation: IOOperation) {
    var budget = 64
    while true {
      let isFull = members.withLock { members in
        if members.count >= limit { members.waiting.append(operation) }
        return members.count >= limit
      }
      if isFull { return }
      operation.sequence &+= 1
      guard core.backend.submit(operation) else { return }
      guard take(operation) else { return }
      budget -= 1
      if budget == 0 { return acceptNextTurn(operation) }
    }
  }

  /// Lets others have their turn.
  func acceptNextTurn(_ operation: IOOperation) {
    operation.result = -Int(EAGAIN)
    core.completeNextTurn(operation)
  }

  override func operationEnded(_ operation: IOOperation) {
    if take(operation) { accept(operation) }
  }

  /// Deals with what an accept brought. `true`: go on accepting.
  private func take(_ operation: IOOperation) -> Bool {
    let result = operation.result
    if result >= 0 { startOrHold(Int32(result)) }
    if isOver(operation) {
      ended(operation)
      return false
    }
    if result >= 0 || result == -Int(EAGAIN) { return true }
    switch Int32(-result) {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM:
      pause(operation)
    case ECANCELED:
      ended(operation)
    case EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, EOPNOTSUPP, ETIMEDOUT:
      // The fault of one connection, which is gone from the queue; the next one may be fine.
      return true
    default:
      report("accept failed; the listener is closed", IOError(result: result, "accept"))
      operation.descriptor.close()
      ended(operation)
    }
    return false
  }

  /// One listening socket takes no more.
  func ended(_ operation: IOOperation) {
    operation.observer = nil
    resumeIfDone { $0.accepting -= 1 }
  }

  func report(_ message: String, _ error: any Error) {
    var context = ExceptionContext(message: message, exception: error)
    context.socket = listener.addresses.map(\.description).joined(separator: ", ")
    core.callExceptionHandler(context)
  }
}

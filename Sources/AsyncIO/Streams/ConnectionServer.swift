internal import CAsyncIO
internal import Synchronization

// One `serve` call. Its traps:
//
// - A task group finds a finished child by walking a list: with 40,000 sleeping children about 290 µs for each that
//   ends. So each connection is a task of its own in a doubly linked list, which finds anything in no time, and the
//   server cancels and awaits them all by that list.
// - A cancellation handler per operation costs as much as the rest of the operation. So the task of a connection has
//   one record of its cancellation, for all that it ever waits for, and operations of the owning task install no
//   handler. It is the runtime's bare record: `withTaskCancellationHandler` and its closures are frames that an idle
//   connection would hold.

/// Accepts for one `serve` call and keeps its connections. Loop thread only, but for the list, which late jobs of a
/// closed loop leave from other threads and which is locked, and what happens while the loop is closed; that is what
/// makes the unchecked conformance right.
final class ConnectionServer: Acceptor, @unchecked Sendable {
  let listener: StreamListener
  let limit: Int
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
  /// Connections that were accepted when the last place was just taken by another address's, and those that an earlier
  /// `accept()` left; one at most for each address of either.
  var held: [Int32] = []

  init(
    _ listener: StreamListener, limit: Int, retryDelay: Duration = .seconds(1),
    _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) {
    self.listener = listener
    self.limit = limit
    self.handler = handler
    super.init(listener.sockets, retryDelay: retryDelay)
  }

  deinit {
    // A closed loop took the place away that these were held for.
    for fd in held { core.sockets.close(fd) }
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

  private func begin(_ waiter: UnsafeContinuation<Void, Never>) {
    members.withLock {
      $0.waiter = waiter
      $0.accepting = listener.accepting.count
    }
    listener.server = self
    // What an earlier `accept()` left is served, or stays for the next call.
    if isCancelled { return resumeIfDone { $0.accepting = 0 } }
    for fd in listener.acceptQueue.takeConnections() { startOrHold(fd) }
    for operation in listener.accepting {
      // In flight, it goes on for this server: a request to end it may take its time.
      if operation.state == .inFlight { operation.observer = .passUnretained(self) } else { begin(operation) }
    }
  }

  /// The operation works for this server.
  func accepts(with operation: IOOperation) -> Bool {
    operation.state == .inFlight && operation.observer?.toOpaque() == Unmanaged.passUnretained(self).toOpaque()
  }

  // MARK: Accepting

  override func accepted(_ fd: Int32) { startOrHold(fd) }

  /// The operation waits until a connection has gone.
  override func hasPlace(for operation: IOOperation) -> Bool {
    members.withLock { members in
      if members.count >= limit { members.waiting.append(operation) }
      return members.count < limit
    }
  }

  /// Nothing more is to be accepted by the operation: its listener or the loop is closed, or the task is cancelled.
  override func isOver(_ operation: IOOperation) -> Bool { isCancelled || super.isOver(operation) }

  override func ended(_ operation: IOOperation) {
    super.ended(operation)
    resumeIfDone { $0.accepting -= 1 }
  }
}

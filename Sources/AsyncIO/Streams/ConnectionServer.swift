internal import CAsyncIO
internal import Synchronization

// One `serve` call. Its traps:
//
// - A task group finds a finished child by walking a list: with 40,000 sleeping children that is about 290 µs for each
//   child that ends. So each connection is a task of its own in a doubly linked list, which needs no walk, and the
//   server cancels and awaits them all by that list.
// - A cancellation handler per operation costs as much as the rest of the operation. So the task of a connection has
//   one record of its cancellation, for everything it ever waits for, and the operations of that task install no
//   handler. It is the runtime's bare record: `withTaskCancellationHandler` and its closures are frames that an idle
//   connection would hold.

/// Accepts for one `serve` call and keeps its connections. Loop thread only, with two exceptions: the list, which late
/// jobs of a closed loop leave from other threads and which is locked; and what happens while the loop is closed. That
/// is what makes the unchecked conformance right.
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
  /// Connections that were accepted when another address's connection had just taken the last place, and those that an
  /// earlier `accept()` left; at most one per address of either kind.
  var held: [Int32] = []
  /// What a stop knows of this server; set before it begins, `nil` for one that no stop ends.
  var draining: ServerDrain?

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
    // The closed loop took away the place that these were held for.
    for fd in held { core.sockets.close(fd) }
  }

  /// Serve until the listener is closed or the task is cancelled.
  func run(isolation: isolated (any Actor)? = #isolation) async {
    let record = WaitRecords.shared.begin(self)
    defer { WaitRecords.shared.end(record) }
    await suspendCancellably { continuation in
      // If the task was cancelled before, the server ends as it begins.
      if Task.isCancelled { cancelAll() }
      begin(continuation)
    } onCancel: {
      core.perform { _ in self.cancelAll() }
    }
  }

  private func begin(_ waiter: UnsafeContinuation<Void, Never>) {
    core.assertLoopThread()
    members.withLock {
      $0.waiter = waiter
      $0.accepting = listener.accepting.count
    }
    listener.server = self
    // What an earlier `accept()` left is served, or stays for the next call.
    if isCancelled { return resumeIfDone { $0.accepting = 0 } }
    for fd in listener.acceptQueue.takeConnections() { startOrHold(fd) }
    for operation in listener.accepting {
      // An operation in flight goes on for this server: a request to end it could take a while.
      if operation.state == .inFlight { operation.observer = .passUnretained(self) } else { begin(operation) }
    }
  }

  /// Make the operation work for this server.
  func accepts(with operation: IOOperation) -> Bool {
    operation.state == .inFlight && operation.observer?.toOpaque() == Unmanaged.passUnretained(self).toOpaque()
  }

  // MARK: What is counted

  override var connectionCount: Int { members.withLock { $0.count } }
  override var pausedListenerCount: Int { super.pausedListenerCount + members.withLock { $0.waiting.count } }

  override func countBytes(into total: inout TransferredBytes) {
    for served in running where !served.connection.isClosed {
      core.countBytes(of: served.connection.descriptor, into: &total)
    }
  }

  // MARK: Accepting

  override func accepted(_ fd: Int32) { startOrHold(fd) }

  /// Make the operation wait until a connection has gone.
  override func hasPlace(for operation: IOOperation) -> Bool {
    members.withLock { members in
      if members.count >= limit { members.waiting.append(operation) }
      return members.count < limit
    }
  }

  /// True if the operation is to accept nothing more: its listener or the loop is closed, or the task is cancelled.
  override func isOver(_ operation: IOOperation) -> Bool { isCancelled || super.isOver(operation) }

  override func ended(_ operation: IOOperation) {
    super.ended(operation)
    resumeIfDone { members in
      assert(members.accepting > 0, "a listening socket ended twice")
      members.accepting -= 1
    }
  }
}

extension ConnectionServer: WaitPoint {
  var waitName: String { "clients of \(listener.addresses.map(\.description).joined(separator: ", "))" }
  var waitPlace: CallSite? { nil }
  var holders: [UInt] { [] }
}

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
/// closed loop leave from other threads and which is locked; that is what makes the unchecked conformance right.
final class ConnectionServer: OperationObserver, @unchecked Sendable {
  private static let retryDelay: Duration = .seconds(1)

  private let core: BaseEventLoop
  private let listener: TCPListener
  private let limit: Int
  private let handler: @Sendable (TCPConnection) async throws -> Void

  private struct Members {
    unowned(unsafe) var first: ServedConnection?
    var count = 0
    var waiter: UnsafeContinuation<Void, Never>?
    var accepting = 0
  }

  private let members = Lock(Members())
  private var isCancelled = false
  /// Accept operations that wait for a free place, in order of arrival.
  private var paused: [IOOperation] = []
  /// Connections that were accepted when the last place was just taken by another address's; one at most for each.
  private var held: [Int32] = []
  private var retries: [TimerHandle] = []

  init(_ listener: TCPListener, limit: Int, _ handler: @escaping @Sendable (TCPConnection) async throws -> Void) {
    self.listener = listener
    self.limit = limit
    self.handler = handler
    core = listener.core
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
    // What an earlier `accept()` left: its operations end, its connections are served.
    for operation in listener.accepting where operation.state == .inFlight { core.backend.cancel(operation) }
    for fd in listener.acceptQueue.takeConnections() { start(fd) }
    for operation in listener.accepting {
      operation.observer = .passUnretained(self)
      if isCancelled || operation.descriptor.isClosed { ended(operation) } else { accept(operation) }
    }
  }

  /// Accepts until it has to wait, the limit is reached, or others must have their turn.
  private func accept(_ operation: IOOperation) {
    var budget = 64
    while true {
      if members.withLock({ $0.count }) >= limit {
        paused.append(operation)
        return
      }
      operation.sequence &+= 1
      guard core.backend.submit(operation) else { return }
      guard take(operation) else { return }
      budget -= 1
      if budget == 0 {
        operation.result = -Int(EAGAIN)
        core.completeNextTurn(operation)
        return
      }
    }
  }

  override func operationEnded(_ operation: IOOperation) {
    if take(operation) { accept(operation) }
  }

  /// Deals with what an accept brought. `true`: go on accepting.
  private func take(_ operation: IOOperation) -> Bool {
    let result = operation.result
    if result >= 0 { startOrHold(Int32(result)) }
    if isCancelled || operation.descriptor.isClosed {
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

  /// One report, and one retry after the delay. A listener that is closed meanwhile stays silent.
  private func pause(_ operation: IOOperation) {
    report(
      "out of resources for new connections; accepting pauses for \(Self.retryDelay)",
      IOError(result: operation.result, "accept"))
    let retry = try? core.callLater(Self.retryDelay) { [weak self] in
      guard let self else { return }
      if self.isCancelled || operation.descriptor.isClosed { self.ended(operation) } else { self.accept(operation) }
    }
    if let retry {
      retries.removeAll { $0.when < core.time() }
      retries.append(retry)
    } else {
      ended(operation)
    }
  }

  /// One listening socket takes no more.
  private func ended(_ operation: IOOperation) {
    operation.observer = nil
    resumeIfDone { $0.accepting -= 1 }
  }

  // MARK: Connections

  private func startOrHold(_ fd: Int32) {
    if isCancelled {
      _ = CAsyncIO.close(fd)
    } else if members.withLock({ $0.count }) < limit {
      start(fd)
    } else {
      held.append(fd)
    }
  }

  private func start(_ fd: Int32) {
    let connection = TCPConnection(fd, core: core)
    let served = ServedConnection(connection)
    members.withLock { members in
      served.next = members.first
      members.first?.previous = served
      members.first = served
      members.count += 1
    }
    // The task holds the entry and the entry is in the list until the task has ended it.
    served.task = core.startTask { await self.run(served) }
  }

  private func run(_ served: ServedConnection) async {
    let connection = served.connection
    connection.descriptor.owner = casyncio_current_task()
    do {
      try await handler(connection)
    } catch {
      reportFailure(error, of: connection)
    }
    if core.isRunningInThisThread { connection.descriptor.owner = nil }
    connection.close()
    leave(served)
  }

  private func leave(_ served: ServedConnection) {
    // First, so that the server does not look empty in between.
    if core.isRunningInThisThread, !held.isEmpty { start(held.removeFirst()) }
    resumeIfDone { members in
      served.next?.previous = served.previous
      if let previous = served.previous { previous.next = served.next } else { members.first = served.next }
      members.count -= 1
    }
    guard core.isRunningInThisThread else { return }
    // All of them: each takes a place or waits for its listener, and of several addresses none must wait for ever.
    let waiting = paused
    paused = []
    for operation in waiting {
      if isCancelled || operation.descriptor.isClosed { ended(operation) } else { accept(operation) }
    }
  }

  private func resumeIfDone(_ change: (inout Members) -> Void) {
    let waiter = members.withLock { members -> UnsafeContinuation<Void, Never>? in
      change(&members)
      guard members.count == 0, members.accepting == 0 else { return nil }
      defer { members.waiter = nil }
      return members.waiter
    }
    waiter?.resume()
  }

  // MARK: Ending

  /// No more connections, and those that run are cancelled.
  private func cancelAll() {
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

  /// Accept operations that wait for a timer or a free place have ended.
  private func stopWaiting() {
    for operation in paused { ended(operation) }
    paused = []
    for retry in retries {
      let wasPending = !retry.isCancelled && retry.heapIndex >= 0
      retry.cancel()
      if wasPending { resumeIfDone { $0.accepting -= 1 } }
    }
    retries = []
  }

  // MARK: Reports

  private func reportFailure(_ error: any Error, of connection: TCPConnection) {
    if error is CancellationError && isCancelled { return }
    if let loss = error as? IOError, loss.isConnectionLoss || connection.isClosed, !core.isDebug { return }
    if core.isClosed { return }
    var context = ExceptionContext(message: "exception in the handler of a connection", exception: error)
    context.socket = connection.subject
    core.callExceptionHandler(context)
  }

  private func report(_ message: String, _ error: any Error) {
    var context = ExceptionContext(message: message, exception: error)
    context.socket = listener.addresses.map(\.description).joined(separator: ", ")
    core.callExceptionHandler(context)
  }
}

/// A connection of a server, in its list. Guarded by the server's lock, but for the task, which is set once before
/// the task's first step; that is what makes the unchecked conformance right.
final class ServedConnection: @unchecked Sendable {
  let connection: TCPConnection
  var task: Task<Void, Never>?
  unowned(unsafe) var previous: ServedConnection?
  unowned(unsafe) var next: ServedConnection?

  init(_ connection: TCPConnection) {
    self.connection = connection
    LiveCounters.servedConnections.add(1, ordering: .relaxed)
  }

  deinit { LiveCounters.servedConnections.subtract(1, ordering: .relaxed) }

  /// Cancels the task, and the operations that its own code waits for.
  func cancel() {
    task?.cancel()
    connection.cancelOperations()
  }
}

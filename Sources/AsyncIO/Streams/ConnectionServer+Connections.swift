internal import CAsyncIO
internal import Synchronization

// The connections of a `serve`: a task for each, all of them in a list that the server can cancel and await.

extension ConnectionServer {
  func startOrHold(_ fd: Int32) {
    if isCancelled {
      core.sockets.close(fd)
    } else if members.withLock({ $0.count }) < limit {
      start(fd)
    } else {
      held.append(fd)
    }
  }

  func start(_ fd: Int32) {
    let connection = listener.connection(fd)
    let served = ServedConnection(connection)
    if core.isDebug { served.names = connection.socketNames }
    members.withLock { members in
      served.next = members.first
      members.first?.previous = served
      members.first = served
      members.count += 1
    }
    // The task holds the entry and the entry is in the list until the task has ended it. All of it is one closure:
    // each function on the way to the handler is a frame that an idle connection holds.
    served.task = core.startTask { [self] in
      served.connection.descriptor.owner = casyncio_current_task()
      let record = served.watchCancellation()
      do { try await handler(served.connection) } catch { reportFailure(error, of: served) }
      casyncio_remove_cancellation(record)
      finish(served)
    }
  }

  private func finish(_ served: ServedConnection) {
    if core.isRunningInThisThread { served.connection.descriptor.owner = nil }
    served.connection.close()
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
    // A closed loop's are in another thread, and end what nobody will accept with any more.
    guard core.isRunningInThisThread || core.isClosed else { return }
    // All of them: each takes a place or waits for its listener, and of several addresses none must wait for ever.
    for operation in takeWaiting() {
      if isOver(operation) { ended(operation) } else { accept(operation) }
    }
  }

  /// Changes the list, and lets `serve` return if nobody is left in it and nothing more can come.
  func resumeIfDone(_ change: (inout Members) -> Void) {
    let waiter = members.withLock { members -> UnsafeContinuation<Void, Never>? in
      change(&members)
      guard members.count == 0, members.accepting == 0 else { return nil }
      defer { members.waiter = nil }
      return members.waiter
    }
    waiter?.resume()
  }

  private func reportFailure(_ error: any Error, of served: ServedConnection) {
    let connection = served.connection
    if error is CancellationError, isCancelled || isCurrentTaskCancelled() { return }
    if let loss = error as? IOError, loss.isConnectionLoss || connection.isClosed, !core.isDebug { return }
    if core.isClosed { return }
    var context = ExceptionContext(message: "exception in the handler of a connection", exception: error)
    context.socket = served.names ?? connection.socketNames
    core.callExceptionHandler(context)
  }
}

/// A connection of a server, in its list. Guarded by the server's lock, but for the task, which is set once before
/// the task's first step; that is what makes the unchecked conformance right.
final class ServedConnection: @unchecked Sendable {
  let connection: StreamConnection
  var task: Task<Void, Never>?
  /// What a report calls it. Taken at the beginning in debug mode only: it costs calls to the system, and a peer that
  /// is lost has no address any more.
  var names: String?
  unowned(unsafe) var previous: ServedConnection?
  unowned(unsafe) var next: ServedConnection?

  init(_ connection: StreamConnection) {
    self.connection = connection
    LiveCounters.servedConnections.add(1, ordering: .relaxed)
  }

  deinit { LiveCounters.servedConnections.subtract(1, ordering: .relaxed) }

  /// Cancels the task, and by that what its own code waits for.
  func cancel() { task?.cancel() }

  private static let setUp: Void = casyncio_set_cancellation_body { argument in
    Unmanaged<ServedConnection>.fromOpaque(argument!)._withUnsafeGuaranteedRef { $0.taskWasCancelled() }
  }

  /// From here on the task's cancellation ends its own operations, whoever asks for it and in whatever thread; they
  /// have no handlers of their own. Called by the task, which holds the entry until it has taken the record away: that
  /// makes the bare address right.
  func watchCancellation() -> UnsafeMutableRawPointer {
    Self.setUp
    return casyncio_add_cancellation(Unmanaged.passUnretained(self).toOpaque())
  }

  private func taskWasCancelled() { connection.core.perform { [connection] _ in connection.cancelOperations() } }
}

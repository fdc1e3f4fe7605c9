internal import CAsyncIO
internal import Synchronization

// The connections of a `serve`: one task each, all of them in a list that the server can cancel and await.

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
    core.assertLoopThread()
    let connection = listener.connection(fd)
    let served = ServedConnection(connection)
    if core.isWatched { served.names = connection.socketNames }
    members.withLock { members in
      served.next = members.first
      members.first?.previous = served
      members.first = served
      members.count += 1
    }
    // The task holds the entry and the entry is in the list until the task has ended it. All of it is one closure:
    // each function on the way to the handler is a frame that an idle connection holds.
    served.task = core.startTask { [self] in
      let record = served.watchCancellation()
      do {
        if listener.tls != nil { try await served.connection.awaitHandshake() }
        try await handler(served.connection)
      } catch { reportFailure(error, of: served) }
      if let record { casyncio_remove_cancellation(record) }
      finish(served)
    }
  }

  private func finish(_ served: ServedConnection) {
    if core.isRunningInThisThread { served.connection.descriptor.owner = nil }
    served.connection.close()
    if Observation.keepsOrigins { LoopTaskRegistry.shared.leaveOther() }
    leave(served)
  }

  private func leave(_ served: ServedConnection) {
    if isCancelled { draining?.ended(served) }
    // First, so that the server does not look empty in between.
    if core.isRunningInThisThread, !held.isEmpty { start(held.removeFirst()) }
    resumeIfDone { members in
      assert(members.count > 0, "a connection left the list twice")
      served.next?.previous = served.previous
      if let previous = served.previous { previous.next = served.next } else { members.first = served.next }
      members.count -= 1
    }
    // The tasks of a closed loop run in other threads; they end accepts that no server will complete.
    guard core.isRunningInThisThread || core.isClosed else { return }
    // All of them: each takes a place or waits for its listener, and with several addresses none may wait for ever.
    for operation in takeWaiting() {
      if isOver(operation) { ended(operation) } else { accept(operation) }
    }
  }

  /// Change the list, and let `serve` return if the list is empty and nothing more can come.
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
    // The peer broke the protection, and the handler could do nothing about it.
    if error is TLSError, connection.descriptor.layer?.failure != nil, !core.isDebug { return }
    if let loss = error as? IOError, loss.isConnectionLoss || connection.isClosed, !core.isDebug { return }
    if core.isClosed { return }
    var context = ExceptionContext(message: "exception in the handler of a connection", exception: error)
    context.socket = served.names ?? connection.socketNames
    core.callExceptionHandler(context)
  }
}

extension ServedConnection: StepOwner {
  var reportName: String { "the connection with \(names ?? "an unknown peer")" }
}

/// A connection of a server, in the server's list. The server's lock guards it, except for the task, which is set once
/// before the task's first step; that is what makes the unchecked conformance right.
final class ServedConnection: @unchecked Sendable {
  let connection: StreamConnection
  var task: Task<Void, Never>?
  /// The connection's name in reports. Taken at the beginning, and on a watched loop only: it costs system calls, and a
  /// peer that is lost no longer has an address.
  var names: String?
  unowned(unsafe) var previous: ServedConnection?
  unowned(unsafe) var next: ServedConnection?

  init(_ connection: StreamConnection) {
    self.connection = connection
    LiveCounters.servedConnections.add(1, ordering: .relaxed)
  }

  deinit { LiveCounters.servedConnections.subtract(1, ordering: .relaxed) }

  /// Cancel the task, and with it whatever its own code waits for.
  func cancel() { task?.cancel() }

  /// True if the runtime's records are used. Also says what they call.
  private static let usesRecords: Bool = {
    casyncio_set_cancellation_body { argument in
      Unmanaged<ServedConnection>.fromOpaque(argument!)._withUnsafeGuaranteedRef { $0.taskWasCancelled() }
    }
    return RuntimeKnowledge.cancellationRecords.isInUse
  }()

  /// Make the task's cancellation end its own operations from here on, whichever thread asks for it; they have no
  /// handlers of their own. Called by the task. Right because the task holds the entry until it has removed the record:
  /// the bare address stays valid. Returns nil if records are not used: then no task owns the connection, and each
  /// operation has a handler.
  func watchCancellation() -> UnsafeMutableRawPointer? {
    if Observation.keepsOrigins {
      LoopTaskRegistry.shared.enterOther(self)
      connection.core.gauge.nameStep(self)
    }
    guard Self.usesRecords else { return nil }
    connection.descriptor.owner = casyncio_current_task()
    return casyncio_add_cancellation(Unmanaged.passUnretained(self).toOpaque())
  }

  private func taskWasCancelled() { connection.core.perform { [connection] _ in connection.cancelOperationsOfOwner() } }
}

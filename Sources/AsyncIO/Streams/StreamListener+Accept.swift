internal import CAsyncIO
internal import SystemPackage

extension StreamListener {
  /// Waits for a connection on any of the addresses. Cancelled, it leaves a connection that comes meanwhile to the
  /// next call. One task at a time; a second one is refused with code `busy`.
  ///
  /// For tasks of the listener's loop; from elsewhere it throws code `wrongThread`. Throws ``IOError``
  /// (`.tooManyOpenFiles` when there are no descriptors left: close some and call again), `CancellationError`.
  public func accept() async throws -> StreamConnection {
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("accept") }
    try claimAccept()
    defer { releaseAccept() }
    if isClosed { throw IOError(.badFileDescriptor, "accept", "on a listener that was closed here") }
    try startServing()
    let queue = acceptQueue
    for operation in accepting where operation.state != .inFlight { queue.begin(operation, on: core) }
    if queue.isEmpty { await queue.waitForResult(on: core) }
    guard let result = queue.take() else {
      try Task.checkCancellation()
      throw core.isClosed ? EventLoopError.closed("accept") : IOError(.canceled, "accept", subject)
    }
    if result >= 0 { return connection(Int32(result)) }
    if result == -Int(ECANCELED), core.isClosed { throw EventLoopError.closed("accept") }
    throw IOError(result: result, "accept", subject)
  }

  /// Takes an accepted socket.
  func connection(_ fd: Int32) -> StreamConnection {
    if addresses[0].isIP { core.sockets.setNoDelay(fd) }
    return StreamConnection(fd, core: core)
  }

  private var subject: String { "on " + addresses.map(\.description).joined(separator: ", ") }
}

/// Collects what the accept operations of a listener bring; they stay in flight between calls, one for each address.
/// The queue is locked because the last reference to a listener may go away anywhere; everything else happens in the
/// loop's thread. That is what makes the unchecked conformance right.
final class AcceptQueue: OperationObserver, @unchecked Sendable {
  private struct State {
    var results: [Int] = []
    var waiter: UnsafeContinuation<Void, Never>?
  }

  private let state = Lock(State())

  var isEmpty: Bool { state.withLock { $0.results.isEmpty } }

  func begin(_ operation: IOOperation, on core: BaseEventLoop) {
    operation.observer = .passUnretained(self)
    operation.sequence &+= 1
    if operation.descriptor.isClosed {
      operation.result = -Int(ECANCELED)
      operationEnded(operation)
    } else if core.backend.submit(operation) {
      operationEnded(operation)
    }
  }

  override func operationEnded(_ operation: IOOperation) {
    // Bare, so that a `serve` that follows finds the record free.
    operation.observer = nil
    let waiter = state.withLock { state in
      state.results.append(operation.result)
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Suspends until a result is here or the task is cancelled. The isolation is handed to the closure by hand, see
  /// `BaseEventLoop.completeCancellably`.
  func waitForResult(on core: BaseEventLoop, isolation: isolated (any Actor)? = #isolation) async {
    await withTaskCancellationHandler {
      _ = isolation
      return await withUnsafeContinuation { continuation in
        wait(continuation)
        if Task.isCancelled { wake() }
      }
    } onCancel: {
      core.perform { _ in self.wake() }
    }
  }

  private func wait(_ waiter: UnsafeContinuation<Void, Never>) {
    let isReady = state.withLock { state in
      if state.results.isEmpty { state.waiter = waiter }
      return !state.results.isEmpty
    }
    if isReady { waiter.resume() }
  }

  /// Resumes the waiter without a result.
  private func wake() {
    let waiter = state.withLock { state in
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  func take() -> Int? {
    state.withLock { $0.results.isEmpty ? nil : $0.results.removeFirst() }
  }

  /// Connections that nobody took.
  func takeConnections() -> [Int32] {
    state.withLock { state in
      defer { state.results = [] }
      return state.results.filter { $0 >= 0 }.map { Int32($0) }
    }
  }

  func closeAll() {
    for fd in takeConnections() { _ = CAsyncIO.close(fd) }
  }
}

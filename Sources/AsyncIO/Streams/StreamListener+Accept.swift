internal import CAsyncIO
internal import SystemPackage

extension StreamListener {
  /// Wait for a connection on any of the addresses. A cancelled call leaves a connection that comes meanwhile to the
  /// next call. One task at a time; a second one is refused with code `busy`.
  ///
  /// For tasks of the listener's loop; from elsewhere it throws code `wrongThread`. Throws ``IOError``
  /// (`.tooManyOpenFiles` if there are no descriptors left: close some and call again), `CancellationError`.
  public func accept() async throws -> StreamConnection {
    try await checkpoint()
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("accept") }
    try claimAccept()
    defer { releaseAccept() }
    if isClosed { throw IOError.closedHere("accept", "listener") }
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

  /// Make a connection of an accepted socket.
  func connection(_ fd: Int32) -> StreamConnection {
    if addresses[0].isIP { core.sockets.setNoDelay(fd) }
    let connection = StreamConnection(fd, shortReadsDrain: sockets.areTCP, core: core)
    if let tls { protect(connection, tls) }
    return connection
  }

  private var subject: String { "on " + addresses.map(\.description).joined(separator: ", ") }
}

/// Collects what the accept operations of a listener bring; they stay in flight between calls, one for each address.
///
/// A connection that comes while no call waits belongs to the listener: the next `accept()` or `serve` has it, and when
/// neither can come any more it is closed. One that came while a call waited is that call's, whatever happens before
/// its task runs.
///
/// The queue is locked because the last reference to a listener may go away anywhere; everything else happens in the
/// loop's thread. That is what makes the unchecked conformance right.
final class AcceptQueue: OperationObserver, @unchecked Sendable {
  private struct State {
    /// The results for the next calls.
    var results = FirstInFirstOut<Int>()
    /// The result for the call whose waiter was resumed with it.
    var handed: Int?
    var waiter: UnsafeContinuation<Void, Never>?
    /// True when no call can accept any more.
    var isOver = false
  }

  private let state = Lock(State())
  private let sockets: any SocketCalls
  /// Ends the queue with its loop. In the loop's list from the first accept on.
  private let resident = AcceptQueueResident()
  private var isResident = false

  init(_ sockets: any SocketCalls) {
    self.sockets = sockets
    super.init()
    resident.queue = self
  }

  var isEmpty: Bool { count == 0 }
  /// The number of results that wait for the next calls.
  var count: Int { state.withLock { $0.results.count } }

  func begin(_ operation: IOOperation, on core: BaseEventLoop) {
    if !isResident {
      isResident = true
      core.residents[ObjectIdentifier(resident)] = resident
    }
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
    // Without an observer, so that a `serve` that follows finds the record free.
    operation.observer = nil
    let result = operation.result
    let (waiter, isRefused) = state.withLock { state -> (UnsafeContinuation<Void, Never>?, Bool) in
      if let waiter = state.waiter {
        state.waiter = nil
        state.handed = result
        return (waiter, false)
      }
      // An operation that was cancelled because no call waits is not a result.
      if !state.isOver && result != -Int(ECANCELED) { state.results.append(result) }
      return (nil, state.isOver)
    }
    waiter?.resume()
    if isRefused && result >= 0 { sockets.close(Int32(result)) }
  }

  /// Suspend until a result is here or the task is cancelled.
  func waitForResult(on core: BaseEventLoop, isolation: isolated (any Actor)? = #isolation) async {
    await suspendCancellably { continuation in
      wait(continuation)
    } onCancel: {
      core.perform { _ in self.wake() }
    }
  }

  private func wait(_ waiter: UnsafeContinuation<Void, Never>) {
    let isReady = state.withLock { state in
      let isReady = !state.results.isEmpty || state.isOver
      if !isReady { state.waiter = waiter }
      return isReady
    }
    if isReady { waiter.resume() }
  }

  /// Resume the waiter without a result.
  private func wake() {
    let waiter = state.withLock { state in
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Take the result for the call that waited, or one that was there before.
  func take() -> Int? {
    state.withLock { state in
      if let handed = state.handed {
        state.handed = nil
        return handed
      }
      return state.results.popFirst()
    }
  }

  /// Take the connections that no call has taken.
  func takeConnections() -> [Int32] {
    state.withLock { state in
      var connections: [Int32] = []
      while let result = state.results.popFirst() {
        if result >= 0 { connections.append(Int32(result)) }
      }
      return connections
    }
  }

  /// End the queue, as no call can accept any more: close the connections in it, and those that come later. Any thread.
  func end() {
    state.withLock { $0.isOver = true }
    for fd in takeConnections() { sockets.close(fd) }
  }

  /// Make the loop forget the queue. Loop thread.
  func leave(_ core: BaseEventLoop) {
    core.assertLoopThread()
    core.residents[ObjectIdentifier(resident)] = nil
  }
}

/// Ends a listener's queue with its loop, as no call can accept any more.
private final class AcceptQueueResident: LoopResident, @unchecked Sendable {
  // Unchecked as the base class is.
  weak var queue: AcceptQueue?

  override func loopDidClose() { queue?.end() }
}

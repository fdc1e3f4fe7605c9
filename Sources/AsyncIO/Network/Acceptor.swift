internal import CAsyncIO

// How connections are taken from listening sockets, for streams and transports alike. The traps:
//
// - A burst of clients must not shut others out: after a number of connections the rest comes in the next turn.
// - Out of descriptors, every waiting client would be an error again, at once. So one shortage is one report and one
//   retry after a delay, not one for each client; and a listener that is closed meanwhile stays silent.
// - Some errors concern one connection, which is gone from the queue. Accepting goes on.
// - Other code may close the number of a listening socket. Once it is another file's it must not be closed again here.

/// Takes connections from listening sockets for a server, a subclass, which decides what happens to them. Loop thread
/// only, except for what happens while the loop is closed.
class Acceptor: OperationObserver, CountedServer {
  let sockets: ListeningSockets
  let core: BaseEventLoop
  /// How long accepting pauses if there are no descriptors. Answers `ACCEPT_RETRY_DELAY`.
  let retryDelay: Duration
  private let tally: LoopTally
  /// Accept operations that wait for the end of a shortage.
  fileprivate var pauses: [AcceptPause] = []

  /// What is reported of a number that was closed behind the loop's back.
  static let lostNumber = "a listening socket was closed by other code and its number is another file's; accepting ends"

  /// The number of connections taken from one socket in a row, before others have their turn.
  private static var burst: Int { 64 }

  init(_ sockets: ListeningSockets, retryDelay: Duration) {
    self.sockets = sockets
    core = sockets.core
    self.retryDelay = retryDelay
    tally = .of(core)
    super.init()
    tally.add(self)
  }

  // MARK: What a server says

  /// Handle an accepted connection; the descriptor is the server's.
  func accepted(_ fd: Int32) { preconditionFailure("a server without use for connections") }
  /// Return whether there is a place for one more connection. If not, the server keeps the operation and calls `accept`
  /// when there is.
  func hasPlace(for operation: IOOperation) -> Bool { true }
  /// True if the operation is to accept nothing more.
  func isOver(_ operation: IOOperation) -> Bool { operation.descriptor.isClosed || core.isClosed }
  /// Handle the end of an operation: one listening socket accepts no more.
  func ended(_ operation: IOOperation) { operation.observer = nil }

  // MARK: What is counted

  /// The number of its connections.
  var connectionCount: Int { 0 }
  /// The number of listening sockets that wait for a place or for the end of a shortage.
  var pausedListenerCount: Int { pauses.count }
  /// Count the bytes of its connections.
  func countBytes(into total: inout TransferredBytes) {}

  // MARK: Accepting

  /// Begin with one listening socket.
  final func begin(_ operation: IOOperation) {
    core.assertLoopThread()
    operation.observer = .passUnretained(self)
    if isOver(operation) { ended(operation) } else { accept(operation) }
  }

  /// Accept until it has to wait, there is no place, or others must have their turn.
  final func accept(_ operation: IOOperation) {
    core.assertLoopThread()
    var budget = Self.burst
    while true {
      guard hasPlace(for: operation) else { return }
      operation.sequence &+= 1
      guard core.backend.submit(operation) else { return }
      guard take(operation) else { return }
      budget -= 1
      if budget == 0 { return acceptNextTurn(operation) }
    }
  }

  /// Let others have their turn.
  fileprivate final func acceptNextTurn(_ operation: IOOperation) {
    core.assertLoopThread()
    operation.result = -Int(EAGAIN)
    core.completeNextTurn(operation)
  }

  override final func operationEnded(_ operation: IOOperation) {
    if take(operation) { accept(operation) }
  }

  /// Take what an accept brought. Returns `true` to go on accepting.
  private final func take(_ operation: IOOperation) -> Bool {
    let result = operation.result
    if result >= 0 {
      tally.accepts &+= 1
      accepted(Int32(result))
    }
    if isOver(operation) {
      ended(operation)
      return false
    }
    if result >= 0 || result == -Int(EAGAIN) { return true }
    switch Int32(-result) {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM:
      pause(operation)
    case ECANCELED:
      // Nobody here wanted that: the number was closed by other code. It is somebody else's, so it stays open.
      report(Self.lostNumber, IOError(result: result, "accept"))
      ended(operation)
    case EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, EOPNOTSUPP, ETIMEDOUT:
      // The fault of one connection, which is gone from the queue; the next one may be fine.
      tally.acceptFailures &+= 1
      return true
    default:
      report("accept failed; the listener is closed", IOError(result: result, "accept"))
      operation.descriptor.close()
      ended(operation)
    }
    return false
  }

  final func report(_ message: String, _ error: any Error) {
    var context = ExceptionContext(message: message, exception: error)
    context.socket = sockets.names
    core.callExceptionHandler(context)
  }

  // MARK: Shortages

  /// Report a shortage once, and retry once after the delay. A listener that is closed meanwhile stays silent.
  private final func pause(_ operation: IOOperation) {
    tally.acceptPauses &+= 1
    report(
      "out of resources for new connections; accepting pauses for \(retryDelay)",
      IOError(result: operation.result, "accept"))
    // The code that got the report may have closed the listener.
    if isOver(operation) { return ended(operation) }
    let pause = AcceptPause(operation, of: self)
    pauses.append(pause)
    core.timers.insert(LoopWord(pause, .node), deadline: core.time().advanced(by: retryDelay).nanoseconds)
  }

  /// End the operations that wait for the end of a shortage.
  final func stopPauses() {
    core.assertLoopThread()
    let stopped = pauses
    pauses = []
    for pause in stopped {
      core.timers.remove(pause)
      ended(pause.operation)
    }
  }
}

/// An accept operation that waits for the end of a shortage. Loop thread, or the thread that closes the loop.
private final class AcceptPause: TimerNode {
  let operation: IOOperation
  private let acceptor: Acceptor

  init(_ operation: IOOperation, of acceptor: Acceptor) {
    self.operation = operation
    self.acceptor = acceptor
  }

  override var inspected: (what: String, task: UInt?) { ("a pause of accepting", nil) }
  override func fire() {
    acceptor.pauses.removeAll { $0 === self }
    acceptor.acceptNextTurn(operation)
  }

  override func drop() {
    acceptor.pauses.removeAll { $0 === self }
    acceptor.ended(operation)
  }
}

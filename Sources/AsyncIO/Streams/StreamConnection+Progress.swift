internal import CAsyncIO

/// How far the sending side of a connection is. Two values that differ show that bytes have moved meanwhile, even
/// within one unfinished `write`.
package struct SendProgress: Equatable, Sendable {
  /// Bytes of the current write that the system has taken.
  package var taken = 0
  /// Bytes that the system has taken and the peer's system has not.
  package var undelivered = 0

  package init() {}
}

extension StreamConnection {
  /// How far the sending side is. Loop thread.
  package var sendProgress: SendProgress {
    core.assertLoopThread()
    var progress = SendProgress()
    guard !isClosed else { return progress }
    progress.taken = sending.state == .inFlight ? sending.transferred : 0
    progress.undelivered = max(0, core.sockets.undeliveredBytes(of: descriptor.fileDescriptor))
    // A backend may hold bytes that are not with the system yet.
    if progress.undelivered == 0, core.hasUnsent(descriptor) { progress.undelivered = 1 }
    return progress
  }
}

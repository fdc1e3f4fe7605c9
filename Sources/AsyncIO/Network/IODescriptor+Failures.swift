internal import SystemPackage

extension IODescriptor {
  /// Return what a failed operation throws: the cancellation of the task, the close of the descriptor or of the loop,
  /// or the system's error.
  func failure(_ result: Int, _ operation: String, _ subject: String? = nil) -> any Error {
    if result == -Int(Errno.badFileDescriptor.rawValue) && isClosed { return closedHere(operation) }
    let subject = subject ?? "descriptor \(fileDescriptor)"
    guard result == -Int(Errno.canceled.rawValue) else { return IOError(result: result, operation, subject) }
    if Task.isCancelled { return CancellationError() }
    if loop.isClosed { return EventLoopError.closed(operation) }
    return IOError(.canceled, operation, subject)
  }

  func closedHere(_ operation: String) -> IOError {
    IOError(.badFileDescriptor, operation, "on a socket that was closed here")
  }

  /// Use the number for a call that does not wait, in any thread.
  func withNumber<R: Sendable>(_ operation: String, _ body: (Int32) -> R) throws(IOError) -> R {
    guard let result = loop.withNumber(of: self, body) else { throw closedHere(operation) }
    return result
  }
}

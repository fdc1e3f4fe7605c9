internal import CAsyncIO
internal import SystemPackage

extension IODescriptor {
  /// Return what a failed operation throws: the cancellation of the task, the close of the descriptor or of the loop,
  /// or the system's error.
  ///
  /// - Parameters:
  ///   - subject: what the operation was about; nil for the descriptor's number.
  ///   - noun: what the descriptor is to its users, for "on a socket that was closed here".
  func failure(
    _ result: Int, _ operation: String, _ subject: String? = nil, of noun: StaticString = "socket"
  ) -> any Error {
    if result == -Int(Errno.badFileDescriptor.rawValue) && isClosed { return IOError.closedHere(operation, noun) }
    if result == -Int(EPROTO), let failure = layer?.failure { return failure }
    let subject = subject ?? "descriptor \(fileDescriptor)"
    guard result == -Int(Errno.canceled.rawValue) else { return IOError(result: result, operation, subject) }
    if Task.isCancelled { return CancellationError() }
    if loop.isClosed { return EventLoopError.closed(operation) }
    return IOError(.canceled, operation, subject)
  }

  /// Use the number for a call that does not wait, in any thread.
  func withNumber<R: Sendable>(_ operation: String, _ body: (Int32) -> R) throws(IOError) -> R {
    guard let result = loop.withNumber(of: self, body) else { throw .closedHere(operation, "socket") }
    return result
  }
}

extension IOError {
  /// The error of an operation on something that this program has closed.
  static func closedHere(_ operation: String, _ noun: StaticString) -> IOError {
    IOError(.badFileDescriptor, operation, "on a \(noun) that was closed here")
  }
}

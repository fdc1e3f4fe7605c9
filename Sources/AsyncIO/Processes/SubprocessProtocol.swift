/// A protocol object that is told of a child process. Answers asyncio's `SubprocessProtocol`.
///
/// All calls come in the loop's thread. ``BaseProtocol/connectionMade(_:)`` comes first and
/// ``BaseProtocol/connectionLost(_:)`` last, when the child has exited and all its pipes are closed. In between the
/// order of what the pipes bring and of ``processExited()`` is not fixed: a child's last words may come after its end.
/// ``BaseProtocol/pauseWriting()`` and ``BaseProtocol/resumeWriting()`` are about the pipe to the child's standard
/// input.
public protocol SubprocessProtocol: BaseProtocol {
  /// The child runs. Implement this or ``BaseProtocol/connectionMade(_:)``, which it calls. An error kills the child;
  /// its exit and the end of its pipes are told as ever, and the error is what ``BaseProtocol/connectionLost(_:)``
  /// gets.
  func connectionMade(_ transport: SubprocessTransport) throws

  /// The child has written bytes to its descriptor 1 or 2. They are lent until the call returns. An error closes that
  /// pipe.
  func pipeDataReceived(_ fileDescriptor: Int32, _ bytes: RawSpan) throws

  /// The pipe of the child's descriptor 0, 1 or 2 is closed: `nil` if it was closed here or has ended, else why.
  func pipeConnectionLost(_ fileDescriptor: Int32, _ error: (any Error)?) throws

  /// The child has exited: ``SubprocessTransport/returnCode`` says how.
  func processExited() throws
}

extension SubprocessProtocol {
  /// Calls the general form.
  public func connectionMade(_ transport: SubprocessTransport) throws {
    try connectionMade(transport as BaseTransport)
  }

  /// Does nothing.
  public func pipeDataReceived(_ fileDescriptor: Int32, _ bytes: RawSpan) throws {}
  /// Does nothing.
  public func pipeConnectionLost(_ fileDescriptor: Int32, _ error: (any Error)?) throws {}
  /// Does nothing.
  public func processExited() throws {}
}

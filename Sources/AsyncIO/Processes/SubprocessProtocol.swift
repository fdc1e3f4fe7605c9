/// A protocol object that is told of a child process. Answers asyncio's `SubprocessProtocol`.
///
/// All calls come in the loop's thread. ``BaseProtocol/connectionMade(_:)`` comes first and
/// ``BaseProtocol/connectionLost(_:)`` last, when the child has exited and all its pipes are closed. The order of the
/// pipes' data and of ``processExited()`` in between is not fixed: a child's last words may come after its end.
/// ``BaseProtocol/pauseWriting()`` and ``BaseProtocol/resumeWriting()`` concern the pipe to the child's standard input.
public protocol SubprocessProtocol: BaseProtocol {
  /// Receive the transport: the child runs. Implement this or ``BaseProtocol/connectionMade(_:)``, which calls this. An
  /// error kills the child; its exit and the end of its pipes are told as usual, and
  /// ``BaseProtocol/connectionLost(_:)`` gets the error.
  func connectionMade(_ transport: SubprocessTransport) throws

  /// Receive bytes that the child has written to its descriptor 1 or 2. They are lent until the call returns. An error
  /// closes that pipe.
  func pipeDataReceived(_ fileDescriptor: Int32, _ bytes: RawSpan) throws

  /// Learn that the pipe of the child's descriptor 0, 1 or 2 is closed: the error is `nil` if it was closed here or has
  /// ended.
  func pipeConnectionLost(_ fileDescriptor: Int32, _ error: (any Error)?) throws

  /// Learn that the child has exited; ``SubprocessTransport/returnCode`` says how.
  func processExited() throws
}

extension SubprocessProtocol {
  /// Call the general form.
  public func connectionMade(_ transport: SubprocessTransport) throws {
    try connectionMade(transport as BaseTransport)
  }

  /// Do nothing.
  public func pipeDataReceived(_ fileDescriptor: Int32, _ bytes: RawSpan) throws {}
  /// Do nothing.
  public func pipeConnectionLost(_ fileDescriptor: Int32, _ error: (any Error)?) throws {}
  /// Do nothing.
  public func processExited() throws {}
}

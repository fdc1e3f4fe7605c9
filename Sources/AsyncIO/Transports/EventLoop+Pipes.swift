extension EventLoop {
  /// Give the reading end of a pipe a transport and a protocol. Answers `connect_read_pipe`.
  ///
  /// From here on the descriptor belongs to the transport, which closes it; it stays the caller's if this throws before
  /// the protocol was told of its transport. It is non-blocking until it is closed, see ``PipeReader/init(owning:)``.
  ///
  /// - Parameters:
  ///   - pipe: a FIFO, a socket, or a character device such as a terminal.
  ///   - factory: makes the protocol object; what it throws is thrown here. Its
  ///     ``BaseProtocol/connectionMade(_:)`` gets the ``ReadPipeTransport``.
  /// - Throws: code `wrongThread` outside of the loop's thread; `invalidArgument` for a regular file, another kind of
  ///   file, and a descriptor that is open for writing only; `invalidState` for one that this loop already uses;
  ///   ``IOError`` `.badFileDescriptor` for one that is not open; `CancellationError` if the task is already cancelled,
  ///   or later, and then the transport is closed.
  public func connectReadPipe<Proto: StreamProtocol>(
    _ pipe: Int32, _ factory: () throws -> Proto
  ) async throws -> (ReadPipeTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "connectReadPipe")
    try Task.checkCancellation()
    let proto = try factory()
    let transport = try ReadPipeTransport(pipe, core: core)
    transport.end.descriptor.borrow()
    try transport.start(proto, isAwaited: true)
    try await transport.made("connectReadPipe")
    return (transport, proto)
  }

  /// Give the writing end of a pipe a transport and a protocol, which is told when to pause its writing and when the
  /// reader has gone. Answers `connect_write_pipe`.
  ///
  /// Parameters and errors are those of ``connectReadPipe(_:_:)``, for a descriptor that is open for writing.
  public func connectWritePipe<Proto: BaseProtocol>(
    _ pipe: Int32, _ factory: () throws -> Proto
  ) async throws -> (WritePipeTransport, Proto) {
    try await checkpoint()
    let core = try coreOfThisThread(for: "connectWritePipe")
    try Task.checkCancellation()
    let proto = try factory()
    let transport = try WritePipeTransport(pipe, core: core)
    transport.end.descriptor.borrow()
    try transport.start(proto, isAwaited: true)
    try await transport.made("connectWritePipe")
    return (transport, proto)
  }
}

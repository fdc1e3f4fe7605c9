extension EventLoop {
  /// Gives a connected stream socket, one that other code has accepted for instance, a transport and a protocol.
  ///
  /// The socket is the transport's from here on, which closes it; it stays the caller's if this throws before the
  /// protocol was told of its transport. Answers `connect_accepted_socket`.
  ///
  /// - Parameters:
  ///   - socket: the descriptor; it is made non-blocking.
  ///   - factory: makes the protocol object; what it throws is thrown here.
  /// - Throws: code `wrongThread` outside of the loop's thread, `invalidArgument` for what is not a stream socket,
  ///   `invalidState` for the descriptor of an open connection; `CancellationError`, and the transport is closed.
  public func connectAcceptedSocket<Proto: ReceivingProtocol>(
    _ socket: Int32, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    let core = try coreOfThisThread(for: "connectAcceptedSocket")
    try core.admitSocket(socket, for: "connectAcceptedSocket")
    return try await core.makeTransport(over: socket, factory)
  }
}

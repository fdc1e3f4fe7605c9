/// A protocol object for datagrams: it is told of its transport, of any number of datagrams and errors, and of the end.
/// Answers asyncio's `DatagramProtocol`.
///
/// An error that a call throws goes to the loop's exception handler, and the endpoint goes on working.
public protocol DatagramProtocol: BaseProtocol {
  /// Receive the transport. Implement this or ``BaseProtocol/connectionMade(_:)``, which calls this.
  func connectionMade(_ transport: DatagramTransport) throws

  /// Receive a datagram, which may be empty. The bytes are lent until the call returns. Answers `datagram_received`.
  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws

  /// Receive an error: a datagram could not be sent, or one that was sent has met an ``IOError``, for instance
  /// `.connectionRefused`. The endpoint goes on working. May be called from inside a `send`. Answers `error_received`.
  func errorReceived(_ error: IOError) throws
}

extension DatagramProtocol {
  /// Call the general form.
  public func connectionMade(_ transport: DatagramTransport) throws {
    try connectionMade(transport as BaseTransport)
  }

  /// Do nothing.
  public func errorReceived(_ error: IOError) throws {}
}

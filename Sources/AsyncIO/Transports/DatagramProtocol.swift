/// A protocol object for datagrams: made, any number of datagrams and errors, lost. Answers asyncio's
/// `DatagramProtocol`.
///
/// An error that a call throws goes to the loop's exception handler, and the endpoint lives on.
public protocol DatagramProtocol: BaseProtocol {
  /// The transport is there. Implement this or ``BaseProtocol/connectionMade(_:)``, which it calls.
  func connectionMade(_ transport: DatagramTransport) throws

  /// A datagram came; it may be empty. The bytes are lent until the call returns. Answers `datagram_received`.
  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws

  /// A datagram could not be sent, or one that was sent has met an error: an ``IOError``, `.connectionRefused` for
  /// instance. The endpoint lives on. May come from inside a `send`. Answers `error_received`.
  func errorReceived(_ error: IOError) throws
}

extension DatagramProtocol {
  /// Calls the general form.
  public func connectionMade(_ transport: DatagramTransport) throws {
    try connectionMade(transport as BaseTransport)
  }

  /// Does nothing.
  public func errorReceived(_ error: IOError) throws {}
}

/// Names something that a transport may know, with its type: `transport.getExtraInfo(.peername)`. Answers the strings
/// of asyncio's `get_extra_info`.
public struct ExtraInfoKey<Value> {
  let name: String

  init(_ name: String) { self.name = name }
}

extension ExtraInfoKey where Value == TransportSocket {
  /// The socket of the transport, in a restricted view.
  public static var socket: ExtraInfoKey { ExtraInfoKey("socket") }
}

extension ExtraInfoKey where Value == SocketAddress {
  /// The address of this side, as it was when the connection was made.
  public static var sockname: ExtraInfoKey { ExtraInfoKey("sockname") }
  /// The peer's address, as it was when the connection was made; it stays known when the connection is lost.
  public static var peername: ExtraInfoKey { ExtraInfoKey("peername") }
}

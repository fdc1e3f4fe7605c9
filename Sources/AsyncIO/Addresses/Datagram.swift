/// One message of a datagram socket, with its sender.
public struct Datagram: Hashable, Sendable {
  /// The bytes; a datagram may be empty.
  public var bytes: [UInt8]
  /// The sender. A Unix socket without a name cannot be answered.
  public var address: SocketAddress

  /// Create a datagram.
  public init(bytes: [UInt8], address: SocketAddress) {
    self.bytes = bytes
    self.address = address
  }
}

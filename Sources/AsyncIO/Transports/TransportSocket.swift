internal import CAsyncIO
internal import SystemPackage

/// The socket of a transport, in a view that cannot get in the transport's way: addresses, options and half-closing,
/// but no closing, sending, receiving or blocking. Answers asyncio's `TransportSocket`.
///
/// For the loop's thread, like its transport. After the connection is lost, addresses are `nil` and calls throw
/// ``IOError`` `.badFileDescriptor`.
public struct TransportSocket: CustomStringConvertible {
  private let descriptor: IODescriptor

  init(_ descriptor: IODescriptor) { self.descriptor = descriptor }

  /// The number, for reports and for calls that only look; -1 after the connection is lost. Answers `fileno`.
  public var fileDescriptor: Int32 { descriptor.isClosed ? -1 : descriptor.fileDescriptor }

  /// The address of this side. Answers `getsockname`.
  public var localAddress: SocketAddress? {
    descriptor.isClosed ? nil : sockets.localAddress(of: descriptor.fileDescriptor)
  }

  /// The peer's address. Answers `getpeername`.
  public var peerAddress: SocketAddress? {
    descriptor.isClosed ? nil : sockets.peerAddress(of: descriptor.fileDescriptor)
  }

  /// Return the value of an option: `try socket.get(.noDelay)`. Throws ``IOError``. Answers `getsockopt`.
  public func get<Value: Sendable>(_ option: SocketOption<Value>) throws(IOError) -> Value {
    try option.get(number("getsockopt"), sockets)
  }

  /// Set an option: `try socket.set(.noDelay, to: true)`. Throws ``IOError``, code `invalidArgument` for options that
  /// can only be read. Answers `setsockopt`.
  public func set<Value: Sendable>(_ option: SocketOption<Value>, to value: Value) throws {
    try option.set(number("setsockopt"), value, sockets)
  }

  /// End directions of the connection. To end the output after what was written use the transport's `writeEOF`. Answers
  /// `shutdown`.
  public func shutdown(_ direction: SocketDirection) throws(IOError) {
    let result = sockets.shutdown(try number("shutdown"), direction.systemValue)
    if result < 0 { throw IOError(result: Int(result), "shutdown", "descriptor \(descriptor.fileDescriptor)") }
  }

  private var sockets: any SocketCalls { descriptor.loop.sockets }

  private func number(_ operation: String) throws(IOError) -> Int32 {
    guard !descriptor.isClosed else {
      throw IOError(.badFileDescriptor, operation, "on the socket of a lost connection")
    }
    return descriptor.fileDescriptor
  }

  /// The number and addresses.
  public var description: String {
    let (local, peer) = (localAddress?.description, peerAddress?.description)
    return "socket \(fileDescriptor), local \(local ?? "unknown"), peer \(peer ?? "unknown")"
  }
}

internal import CAsyncIO
internal import SystemPackage

/// The socket of a transport, in a view that cannot get in the transport's way: addresses, options and half-closing,
/// but no closing, no sending and receiving, and no blocking. Answers asyncio's `TransportSocket`.
///
/// For the loop's thread, like its transport. When the connection is lost, addresses are `nil` and calls throw ``IOError``
/// `.badFileDescriptor`.
public struct TransportSocket: CustomStringConvertible {
  private let descriptor: IODescriptor

  init(_ descriptor: IODescriptor) { self.descriptor = descriptor }

  /// Which directions to end.
  public enum Direction: Sendable { case reading, writing, both }

  /// The number, for reports and for calls that only look; -1 when the connection is lost. Answers `fileno`.
  public var fileDescriptor: Int32 { descriptor.isClosed ? -1 : descriptor.fileDescriptor }

  /// The own address. Answers `getsockname`.
  public var localAddress: SocketAddress? { descriptor.isClosed ? nil : .local(of: descriptor.fileDescriptor) }

  /// The peer's address. Answers `getpeername`.
  public var peerAddress: SocketAddress? { descriptor.isClosed ? nil : .peer(of: descriptor.fileDescriptor) }

  /// An option that is a number: level and name as in `<sys/socket.h>`. Answers `getsockopt`.
  public func option(level: Int32, name: Int32) throws(IOError) -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    try check("getsockopt") { getsockopt($0, level, name, &value, &size) }
    return value
  }

  /// Sets an option that is a number. Answers `setsockopt`.
  public func setOption(level: Int32, name: Int32, to value: Int32) throws(IOError) {
    var value = value
    try check("setsockopt") { setsockopt($0, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) }
  }

  /// Ends directions of the connection. To end the own stream behind what was written use the transport's `writeEOF`.
  /// Answers `shutdown`.
  public func shutdown(_ direction: Direction) throws(IOError) {
    let how =
      switch direction {
      case .reading: SHUT_RD
      case .writing: SHUT_WR
      case .both: SHUT_RDWR
      }
    try check("shutdown") { CAsyncIO.shutdown($0, Int32(how)) }
  }

  private func check(_ operation: String, _ call: (Int32) -> Int32) throws(IOError) {
    guard !descriptor.isClosed else {
      throw IOError(.badFileDescriptor, operation, "on the socket of a lost connection")
    }
    guard call(descriptor.fileDescriptor) == 0 else {
      throw IOError(result: -Int(casyncio_errno()), operation, "descriptor \(descriptor.fileDescriptor)")
    }
  }

  /// Number and addresses.
  public var description: String {
    let (local, peer) = (localAddress?.description, peerAddress?.description)
    return "socket \(fileDescriptor), local \(local ?? "unknown"), peer \(peer ?? "unknown")"
  }
}

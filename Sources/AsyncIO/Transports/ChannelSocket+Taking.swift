internal import CAsyncIO
internal import SystemPackage

// Sockets that were made elsewhere: by another library, a supervisor, a parent process. The traps:
//
// - The number may be anything: closed, a file, a socket of another kind or in another state, one that the loop has
//   already. All that can be asked is asked first. What is refused stays the caller's, and as it was.
// - Other processes may have the same socket. One that listens is not shut down when it is closed here, and its file
//   stays.
// - An accept cannot say that it does not wait. So a socket becomes non-blocking, for those processes as well.

@_spi(Channels)
extension ChannelSocket {
  /// What a taken socket is to be used for.
  public enum Use: Sendable {
    /// To accept connections. If it does not listen yet, it begins to.
    case listening
    /// To read and to write.
    case connected
  }

  /// Take a stream socket, TCP or Unix, which is closed with this object. It becomes non-blocking.
  ///
  /// Throws code `invalidArgument` for anything but a stream socket, for one of a family without a form of address, for
  /// one that is not connected, and for one to listen on that is connected or is a Unix socket without an address;
  /// `invalidState` for one that the loop has already; ``IOError``, `.badFileDescriptor` for a number that is not open.
  /// The socket is then the caller's still. Loop thread.
  public static func take(_ fd: Int32, for use: Use, on loop: BaseEventLoop) throws -> ChannelSocket {
    let operation = "ChannelSocket.take"
    let family = try loop.admitForChannel(fd, ofType: .stream, for: operation)
    let listens = (try? SocketOption.isListening.get(fd, loop.sockets)) ?? false
    let isConnected = loop.sockets.peerAddress(of: fd) != nil
    switch use {
    case .connected:
      guard isConnected else {
        throw EventLoopError(
          .invalidArgument, "\(operation): the socket \(fd) is not connected. Connect it, and wait until it is.")
      }
    case .listening:
      guard !isConnected else {
        throw EventLoopError(
          .invalidArgument, "\(operation): the socket \(fd) is connected. Give one that is bound and not connected.")
      }
      if !listens { try beginToListen(fd, family, on: loop, for: operation) }
    }
    try loop.makeNonBlocking(fd, for: operation)
    let drains = family != .unix && casyncio_is_plain_tcp(fd) != 0
    let socket = ChannelSocket(fd, isTCP: family != .unix, shortReadsDrain: drains, on: loop)
    if use == .listening {
      (socket.descriptor.isListening, socket.descriptor.freesAddress, socket.descriptor.isLent) = (true, true, true)
    }
    return socket
  }

  private static func beginToListen(
    _ fd: Int32, _ family: AddressFamily, on loop: BaseEventLoop, for operation: String
  ) throws {
    guard let address = loop.sockets.localAddress(of: fd), family != .unix || address.unixPath != nil else {
      throw EventLoopError(
        .invalidArgument, "\(operation): the Unix socket \(fd) has no address. Bind it to one first.")
    }
    try loop.sockets.listen(fd, backlog: 128, address)
  }
}

@_spi(Channels)
extension ChannelDatagramSocket {
  /// Take a socket for datagrams, UDP or Unix, bound or connected or both, which is closed with this object. It becomes
  /// non-blocking.
  ///
  /// Throws code `invalidArgument` for anything but a socket for datagrams, and for one of a family without a form of
  /// address; `invalidState` for one that the loop has already; ``IOError``, `.badFileDescriptor` for a number that is
  /// not open. The socket is then the caller's still. Loop thread.
  public static func take(_ fd: Int32, on loop: BaseEventLoop) throws -> ChannelDatagramSocket {
    let operation = "ChannelDatagramSocket.take"
    let family = try loop.admitForChannel(fd, ofType: .datagram, for: operation)
    try loop.makeNonBlocking(fd, for: operation)
    return ChannelDatagramSocket(fd, family, on: loop)
  }
}

extension BaseEventLoop {
  /// Check that a descriptor of the caller can become a channel's. Returns the family of its addresses.
  fileprivate final func admitForChannel(
    _ fd: Int32, ofType type: SocketType, for operation: String
  ) throws -> AddressFamily {
    try admitSocket(fd, ofType: type, for: operation)
    guard let family = sockets.localAddress(of: fd)?.addressFamily else {
      throw EventLoopError(
        .invalidArgument, "\(operation): the system does not name the socket \(fd). Give an IP or a Unix socket.")
    }
    guard [.ipv4, .ipv6, .unix].contains(family) else {
      throw EventLoopError(
        .invalidArgument, "\(operation): the socket \(fd) is of \(family). Give an IP or a Unix socket.")
    }
    return family
  }

  fileprivate final func makeNonBlocking(_ fd: Int32, for operation: String) throws(IOError) {
    let status = sockets.setNonBlocking(fd)
    if status < 0 { throw IOError(result: Int(status), operation, "descriptor \(fd)") }
  }
}

internal import CAsyncIO
internal import SystemPackage

/// System calls on sockets that do not wait.
enum Sockets {
  /// A new non-blocking stream socket for an address.
  static func make(for address: SocketAddress) throws(IOError) -> Int32 { try make(for: AddressInfo(address)) }

  /// A new non-blocking socket for a result of a look-up.
  static func make(for info: AddressInfo) throws(IOError) -> Int32 {
    let fd = casyncio_socket(info.family.rawValue, info.type.rawValue, info.proto)
    guard fd >= 0 else { throw IOError(result: Int(fd), "socket", "\(info.address)") }
    return fd
  }

  static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Errno? {
    var value = value
    let status = setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    return status == 0 ? nil : Errno(rawValue: casyncio_errno())
  }

  /// Small messages must not wait for the acknowledgement of earlier ones. Fails on sockets that are not TCP, where
  /// it means nothing.
  static func setNoDelay(_ fd: Int32) {
    _ = set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
  }

  /// Gives a socket its address.
  static func bind(_ fd: Int32, to address: SocketAddress) throws(IOError) {
    guard address.withSockaddr({ CAsyncIO.bind(fd, $0, $1) }) == 0 else {
      throw IOError(Errno(rawValue: casyncio_errno()), "bind", "\(address)")
    }
  }

  /// Lets a bound socket take connections; again, it changes the backlog.
  static func listen(_ fd: Int32, backlog: Int32, _ address: SocketAddress) throws(IOError) {
    guard CAsyncIO.listen(fd, backlog) == 0 else {
      throw IOError(Errno(rawValue: casyncio_errno()), "listen", "\(address)")
    }
  }

  /// A bound, listening socket.
  static func listen(
    on address: SocketAddress, backlog: Int32, reuseAddress: Bool, reusePort: Bool
  ) throws -> Int32 {
    var options = ListenRequest()
    (options.backlog, options.reuseAddress, options.reusePort) = (backlog, reuseAddress, reusePort)
    return try Listeners.open(AddressInfo(address), options).fd
  }
}

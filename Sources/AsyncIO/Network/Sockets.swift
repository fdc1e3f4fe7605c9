internal import CAsyncIO
internal import SystemPackage

/// System calls on sockets that do not wait.
enum Sockets {
  /// A new non-blocking stream socket for an address.
  static func make(for address: SocketAddress) throws(IOError) -> Int32 {
    let fd = casyncio_socket(address.family, casyncio_stream_type, 0)
    guard fd >= 0 else { throw IOError(result: Int(fd), "socket", "\(address)") }
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

  /// A bound, listening socket.
  static func listen(
    on address: SocketAddress, backlog: Int32, reuseAddress: Bool, reusePort: Bool
  ) throws(IOError) -> Int32 {
    let fd = try make(for: address)
    do throws(IOError) {
      if reuseAddress { _ = set(fd, SOL_SOCKET, SO_REUSEADDR, 1) }
      if reusePort, let error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1) {
        throw IOError(error, "reusePort", "\(address)")
      }
      // One socket per family: an IPv6 wildcard must not take the IPv4 port as well.
      if address.isIPv6 { _ = set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
      let bound = address.withSockaddr { CAsyncIO.bind(fd, $0, $1) }
      guard bound == 0 else { throw IOError(Errno(rawValue: casyncio_errno()), "bind", "\(address)") }
      guard CAsyncIO.listen(fd, backlog) == 0 else {
        throw IOError(Errno(rawValue: casyncio_errno()), "listen", "\(address)")
      }
      return fd
    } catch {
      _ = CAsyncIO.close(fd)
      throw error
    }
  }
}

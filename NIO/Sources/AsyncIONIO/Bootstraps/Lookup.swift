internal import AsyncIO
internal import NIOCore

/// Names of hosts, looked up by the loop's resolver: not in its thread.
enum Lookup {
  /// The addresses of a host, at least one, in the resolver's order. Fails with `ResolutionError`.
  static func addresses(
    of host: String, port: Int, type: SocketType = .stream, on loop: any NIOCore.EventLoop
  ) -> EventLoopFuture<[NIOCore.SocketAddress]> {
    guard let loop = AsyncIOEventLoop.of(loop) else { return loop.makeFailedFuture(ForeignLoop(loop: "\(loop)")) }
    guard let number = UInt16(exactly: port) else {
      return loop.makeFailedFuture(
        IOError(errnoCode: ErrorNumber.invalidArgument, reason: "port \(port) is not in 0 to 65535"))
    }
    if let literal = try? NIOCore.SocketAddress(ipAddress: host, port: port) {
      return loop.makeSucceededFuture([literal])
    }
    return loop.runTask {
      let found = try await loop.base.getaddrinfo(host: host, port: number, type: type)
      let addresses = found.compactMap { NIOCore.SocketAddress($0.address) }
      guard !addresses.isEmpty else { throw ChannelError.unknownLocalAddress }
      return addresses
    }
  }

  /// Let the families take turns, in the order in which they appear (RFC 8305, section 4).
  ///
  /// - Parameter last: the family that had its turn already; nil for none.
  static func interleaved(
    _ addresses: some Collection<NIOCore.SocketAddress>, after last: NIOBSDSocket.ProtocolFamily? = nil
  ) -> [NIOCore.SocketAddress] {
    guard let first = (addresses.first { $0.protocol != last } ?? addresses.first)?.protocol else { return [] }
    let (preferred, others) = (addresses.filter { $0.protocol == first }, addresses.filter { $0.protocol != first })
    return (0..<max(preferred.count, others.count)).flatMap { turn in
      [preferred, others].compactMap { turn < $0.count ? $0[turn] : nil }
    }
  }
}

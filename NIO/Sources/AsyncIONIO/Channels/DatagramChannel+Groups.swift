@_spi(Channels) internal import AsyncIO
internal import NIOCore

// Multicast groups. To join or leave one is an option of the socket: the group, then the interface.

extension DatagramChannel: MulticastChannel {
  #if !os(Windows)
    @available(*, deprecated, renamed: "joinGroup(_:device:promise:)")
    func joinGroup(
      _ group: NIOCore.SocketAddress, interface: NIONetworkInterface?, promise: EventLoopPromise<Void>?
    ) {
      joinGroup(group, device: interface.map { NIONetworkDevice($0) }, promise: promise)
    }

    @available(*, deprecated, renamed: "leaveGroup(_:device:promise:)")
    func leaveGroup(
      _ group: NIOCore.SocketAddress, interface: NIONetworkInterface?, promise: EventLoopPromise<Void>?
    ) {
      leaveGroup(group, device: interface.map { NIONetworkDevice($0) }, promise: promise)
    }
  #endif

  func joinGroup(_ group: NIOCore.SocketAddress, device: NIONetworkDevice?, promise: EventLoopPromise<Void>?) {
    change(group, device, promise, .ip_add_membership, .ipv6_join_group)
  }

  func leaveGroup(_ group: NIOCore.SocketAddress, device: NIONetworkDevice?, promise: EventLoopPromise<Void>?) {
    change(group, device, promise, .ip_drop_membership, .ipv6_leave_group)
  }

  private func change(
    _ group: NIOCore.SocketAddress, _ device: NIONetworkDevice?, _ promise: EventLoopPromise<Void>?,
    _ v4: NIOBSDSocket.Option, _ v6: NIOBSDSocket.Option
  ) {
    let body: @Sendable () -> Void = {
      self.complete(promise) {
        let words = try self.membership(group, device)
        let (level, name) = group.protocol == .inet ? (NIOBSDSocket.OptionLevel.ip, v4) : (.ipv6, v6)
        try inNIOsWords { try self.endpoint.setOption(Int32(level.rawValue), Int32(name.rawValue), words) }
      }
    }
    if loop.inEventLoop { body() } else { loop.execute(body) }
  }

  /// Return the group and the interface as the system takes them: `ip_mreq` or `ipv6_mreq`.
  private func membership(_ group: NIOCore.SocketAddress, _ device: NIONetworkDevice?) throws -> [Int32] {
    guard life.isActive else { throw ChannelError.inappropriateOperationForState }
    if let device, !device.multicastSupported { throw NIOMulticastNotSupportedError(device: device) }
    guard let localAddress else { throw ChannelError.unknownLocalAddress }
    guard localAddress.protocol == group.protocol else { throw ChannelError.badMulticastGroupAddressFamily }
    guard group.isMulticast else { throw ChannelError.illegalMulticastAddress(group) }
    if let address = device?.address, address.protocol != group.protocol {
      throw ChannelError.badInterfaceAddressFamily
    }
    if group.protocol == .inet { return group.addressWords + (device?.address?.addressWords ?? [0]) }
    return group.addressWords + [device.map { Int32(truncatingIfNeeded: $0.interfaceIndex) } ?? 0]
  }
}

extension NIOCore.SocketAddress {
  /// The bytes of an IP address in words, in the order in which they are sent; empty for other addresses.
  fileprivate var addressWords: [Int32] {
    // In every system's structure the port ends at byte 4; IPv6 has its flow after it.
    let (offset, count): (Int, Int)
    switch self {
    case .v4: (offset, count) = (4, 1)
    case .v6: (offset, count) = (8, 4)
    default: return []
    }
    return withSockAddr { address, size in
      // Right because the pointer is to `size` bytes, for the length of the call.
      let bytes = UnsafeRawBufferPointer(start: address, count: size)
      return (0..<count).map { bytes.loadUnaligned(fromByteOffset: offset + $0 * 4, as: Int32.self) }
    }
  }
}

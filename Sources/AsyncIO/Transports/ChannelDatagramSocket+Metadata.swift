internal import CAsyncIO
internal import SystemPackage

// What travels with a datagram besides bytes and addresses. The traps:
//
// - The system reports only what it was asked for, and only of IP. A datagram that came before that has nothing.
// - An IPv6 socket asks for IPv6 only: what it receives over IPv4 comes without.
// - A simulated network has none of this, and would take the options all the same. So it is asked for by name.

@_spi(Channels)
extension ChannelDatagramSocket {
  /// What came with a datagram, or goes with one.
  public struct Metadata: Hashable, Sendable {
    /// The congestion bits of the IP header, 0 to 3.
    public let congestion: Int
    /// The address that a received datagram was sent to, with port 0; nil if that was not asked for. Not sent.
    public let destination: SocketAddress?
    /// The number of the interface that it came through; 0 if that was not asked for. Not sent.
    public let interfaceIndex: Int
    /// The size of the pieces that a datagram is sent in, or was received in; 0 for a whole one. At most 65,535.
    public let segmentSize: Int

    /// Create what to send with a datagram.
    public init(congestion: Int, segmentSize: Int = 0) {
      (self.congestion, self.segmentSize) = (congestion, segmentSize)
      (destination, interfaceIndex) = (nil, 0)
    }

    init(_ received: casyncio_metadata) {
      congestion = Int(received.congestion)
      segmentSize = Int(received.segment_size)
      interfaceIndex = Int(received.interface_index)
      let length = Int(received.destination_length)
      destination =
        length == 0
        ? nil
        : withUnsafeBytes(of: received.destination) {
          SocketAddress(copying: UnsafeRawBufferPointer(rebasing: $0.prefix(length)))
        }
    }

    func write(to memory: UnsafeMutablePointer<casyncio_metadata>, for family: AddressFamily) {
      memory.pointee.family = family.rawValue
      memory.pointee.congestion = Int32(congestion)
      memory.pointee.segment_size = Int32(segmentSize)
    }
  }

  /// What a socket can be asked to do about metadata.
  public enum MetadataOption: Sendable {
    /// Report the congestion bits of received datagrams: 0 or 1.
    case congestion
    /// Report the destination and the interface of received datagrams: 0 or 1.
    case packetInfo
    /// Send each datagram in pieces of this size, in bytes; 0 sends it whole.
    case segmentSize
    /// Put received datagrams together that belong to each other, and report the size of the pieces: 0 or 1.
    case receiveOffload

    fileprivate var number: Int32 {
      switch self {
      case .congestion: Int32(CASYNCIO_METADATA_CONGESTION)
      case .packetInfo: Int32(CASYNCIO_METADATA_PACKET_INFO)
      case .segmentSize: Int32(CASYNCIO_METADATA_SEGMENT_SIZE)
      case .receiveOffload: Int32(CASYNCIO_METADATA_RECEIVE_OFFLOAD)
      }
    }
  }

  /// True if datagrams can have metadata: IP sockets of Linux; not in a simulated world.
  public var hasMetadata: Bool { (try? place(of: .congestion)) != nil }

  /// Ask the system. Throws ``IOError``, `.notSupportedOnSocket` for a socket without metadata. Loop thread.
  public func set(_ option: MetadataOption, _ value: Int32) throws(IOError) {
    let (level, name) = try place(of: option)
    try setOption(level, name, [value])
  }

  /// Return what was asked. Throws ``IOError``, `.notSupportedOnSocket` for a socket without metadata. Loop thread.
  public func value(of option: MetadataOption) throws(IOError) -> Int32 {
    let (level, name) = try place(of: option)
    return try self.option(level, name, words: 1)[0]
  }

  private func place(of option: MetadataOption) throws(IOError) -> (level: Int32, name: Int32) {
    var (level, name): (Int32, Int32) = (0, 0)
    let isSystems = core.capabilities.contains(.systemDescriptors)
    let status =
      isSystems ? casyncio_metadata_option(option.number, family.rawValue, &level, &name) : -EOPNOTSUPP
    guard status == 0 else {
      let place = isSystems ? "\(family) on this system" : "a simulated socket"
      throw IOError(
        result: Int(status), "setsockopt", "of \(option), which datagrams of \(place) have not; leave it out")
    }
    return (level, name)
  }

  /// Return the negated errno of metadata that cannot be sent.
  func failure(of outgoing: Metadata) -> Int? {
    guard hasMetadata else { return -Int(EOPNOTSUPP) }
    let isInRange = (0...3).contains(outgoing.congestion) && (0...65_535).contains(outgoing.segmentSize)
    return isInRange ? nil : -Int(EINVAL)
  }
}

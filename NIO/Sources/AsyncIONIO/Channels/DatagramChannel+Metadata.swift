@_spi(Channels) internal import AsyncIO
internal import NIOCore

// The metadata of datagrams: congestion, destination and interface, sizes of segments. The system is asked for what the
// handlers want, and each envelope has what it said.

/// What is reported with each datagram. As in NIO one of them is enough for an envelope to have metadata; what was not
/// asked for is then its default.
struct DatagramReports {
  var congestion = false
  var packetInfo = false
  var segmentSize = false

  var isEmpty: Bool { !congestion && !packetInfo && !segmentSize }

  func metadata(
    _ received: ChannelDatagramSocket.Metadata?
  ) -> AddressedEnvelope<ByteBuffer>.Metadata? {
    guard !isEmpty, let received else { return nil }
    let packetInfo = NIOCore.SocketAddress(received.destination).map {
      NIOPacketInfo(destinationAddress: $0, interfaceIndex: received.interfaceIndex)
    }
    return .init(
      ecnState: .init(bits: received.congestion), packetInfo: packetInfo,
      segmentSize: received.segmentSize > 0 ? received.segmentSize : nil)
  }
}

extension DatagramChannel {
  /// Return the metadata of a datagram in the loops' form; nil if there is nothing to send. As in NIO a packet info is
  /// ignored, so that an envelope can go back as it came. Throws for what the socket cannot send.
  func outgoing(
    _ metadata: AddressedEnvelope<ByteBuffer>.Metadata?
  ) throws -> ChannelDatagramSocket.Metadata? {
    guard let metadata else { return nil }
    guard socket.hasMetadata else {
      guard metadata == .init(ecnState: .transportNotCapable) else {
        throw UnsupportedMetadata(metadata: "\(metadata)")
      }
      return nil
    }
    let size = metadata.segmentSize ?? 0
    guard (0...65_535).contains(size) else {
      throw NIOCore.IOError(
        errnoCode: ErrorNumber.invalidArgument, reason: "segmentSize is \(size). Give 0 to 65535.")
    }
    return .init(congestion: metadata.ecnState.bits, segmentSize: size)
  }

  /// Set an option of metadata. Returns `false` for other options.
  func setMetadata(_ option: any ChannelOption, _ value: Any) throws -> Bool {
    switch option {
    case is ChannelOptions.Types.ExplicitCongestionNotificationsOption:
      reports.congestion = try ask(.congestion, value)
    case is ChannelOptions.Types.ReceivePacketInfo: reports.packetInfo = try ask(.packetInfo, value)
    case is ChannelOptions.Types.DatagramReceiveOffload: _ = try ask(.receiveOffload, value)
    case is ChannelOptions.Types.DatagramReceiveSegmentSize:
      // What is reported with a datagram that was put together; the offload is an option of its own.
      _ = try inNIOsWords { try socket.value(of: .receiveOffload) }
      reports.segmentSize = value as! Bool
    case is ChannelOptions.Types.DatagramSegmentSize:
      let size = value as! CInt
      try inNIOsWords { try socket.set(.segmentSize, size) }
    default: return false
    }
    socket.collectsMetadata = !reports.isEmpty
    return true
  }

  /// Turn a report of the system on or off. Returns which.
  private func ask(_ option: ChannelDatagramSocket.MetadataOption, _ value: Any) throws -> Bool {
    try refuseUnix(option)
    let isOn = value as! Bool
    try inNIOsWords { try socket.set(option, isOn ? 1 : 0) }
    return isOn
  }

  /// Get an option of metadata; nil for other options.
  func metadataOption(_ option: any ChannelOption) throws -> Any? {
    switch option {
    case is ChannelOptions.Types.ExplicitCongestionNotificationsOption: try isOn(.congestion)
    case is ChannelOptions.Types.ReceivePacketInfo: try isOn(.packetInfo)
    case is ChannelOptions.Types.DatagramReceiveOffload: try isOn(.receiveOffload)
    case is ChannelOptions.Types.DatagramReceiveSegmentSize: reports.segmentSize
    case is ChannelOptions.Types.DatagramSegmentSize: try inNIOsWords { try socket.value(of: .segmentSize) }
    default: nil
    }
  }

  private func isOn(_ option: ChannelDatagramSocket.MetadataOption) throws -> Bool {
    try refuseUnix(option)
    return try inNIOsWords { try socket.value(of: option) } != 0
  }

  /// Throw NIO's error for what only IP has.
  private func refuseUnix(_ option: ChannelDatagramSocket.MetadataOption) throws {
    let isOfIP = option == .congestion || option == .packetInfo
    if isOfIP, socket.localAddress?.isUnix == true { throw ChannelError.operationUnsupported }
  }
}

extension NIOExplicitCongestionNotificationState {
  /// The state of the bits in the header of IP (RFC 3168).
  fileprivate init(bits: Int) {
    switch bits {
    case 1: self = .transportCapableFlag1
    case 2: self = .transportCapableFlag0
    case 3: self = .congestionExperienced
    default: self = .transportNotCapable
    }
  }

  fileprivate var bits: Int {
    switch self {
    case .transportNotCapable: 0
    case .transportCapableFlag1: 1
    case .transportCapableFlag0: 2
    case .congestionExperienced: 3
    }
  }
}

/// What a datagram was to carry besides its bytes, and cannot here.
struct UnsupportedMetadata: Error, CustomStringConvertible {
  let metadata: String
  var description: String {
    "this socket sends datagrams without metadata, and one has \(metadata). Leave it out, or use an IP socket of Linux."
  }
}

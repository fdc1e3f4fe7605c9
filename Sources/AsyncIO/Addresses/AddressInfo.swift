internal import CAsyncIO

/// The kind of an address, or of requested addresses. Answers the `family` of asyncio's calls.
public struct AddressFamily: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The system's number, for instance `AF_INET`.
  public let rawValue: Int32
  /// Create a family from the system's number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// Any family.
  public static let unspecified = AddressFamily(rawValue: AF_UNSPEC)
  /// IPv4.
  public static let ipv4 = AddressFamily(rawValue: AF_INET)
  /// IPv6.
  public static let ipv6 = AddressFamily(rawValue: AF_INET6)
  /// Unix sockets: paths, and on Linux abstract names.
  public static let unix = AddressFamily(rawValue: AF_UNIX)

  /// Return whether an address of `family` is admitted; `unspecified` admits any.
  func admits(_ family: AddressFamily) -> Bool { self == .unspecified || self == family }

  /// "IPv4", "IPv6", "Unix".
  public var description: String {
    switch self {
    case .unspecified: "any family"
    case .ipv4: "IPv4"
    case .ipv6: "IPv6"
    case .unix: "Unix"
    default: "address family \(rawValue)"
    }
  }
}

/// What a socket carries. Answers the `type` of asyncio's calls.
public struct SocketType: RawRepresentable, Hashable, Sendable {
  /// The system's number, for instance `SOCK_STREAM`.
  public let rawValue: Int32
  /// Create a type from the system's number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// Any type.
  public static let unspecified = SocketType(rawValue: 0)
  /// A stream of bytes: TCP, or a Unix stream.
  public static let stream = SocketType(rawValue: casyncio_stream_type)
  /// Datagrams: UDP, or Unix datagrams.
  public static let datagram = SocketType(rawValue: casyncio_datagram_type)
  /// Packets below the transport protocols.
  public static let raw = SocketType(rawValue: casyncio_raw_type)
}

/// How a look-up of addresses is made. Answers the `flags` of `getaddrinfo`.
public struct AddressInfoFlags: OptionSet, Hashable, Sendable {
  /// The system's bits.
  public let rawValue: Int32
  /// Create flags from the system's bits.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// Addresses to listen on: without a host, every interface instead of the loopback.
  public static let passive = AddressInfoFlags(rawValue: AI_PASSIVE)
  /// The first result carries the canonical name.
  public static let canonicalName = AddressInfoFlags(rawValue: AI_CANONNAME)
  /// The host is a literal; it is not looked up.
  public static let numericHost = AddressInfoFlags(rawValue: AI_NUMERICHOST)
  /// The port is a number.
  public static let numericService = AddressInfoFlags(rawValue: AI_NUMERICSERV)
  /// IPv4 addresses as IPv6 ones if there are no others.
  public static let v4Mapped = AddressInfoFlags(rawValue: AI_V4MAPPED)
  /// With ``v4Mapped``: IPv4 addresses in addition to the IPv6 ones.
  public static let all = AddressInfoFlags(rawValue: AI_ALL)
  /// Only families that this machine has addresses of.
  public static let configuredOnly = AddressInfoFlags(rawValue: AI_ADDRCONFIG)
}

/// How an address is named. Answers the `flags` of `getnameinfo`.
public struct NameInfoFlags: OptionSet, Hashable, Sendable {
  /// The system's bits.
  public let rawValue: Int32
  /// Create flags from the system's bits.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The address in digits; it is not looked up.
  public static let numericHost = NameInfoFlags(rawValue: NI_NUMERICHOST)
  /// The port in digits.
  public static let numericService = NameInfoFlags(rawValue: NI_NUMERICSERV)
  /// An address without a name is an error.
  public static let nameRequired = NameInfoFlags(rawValue: NI_NAMEREQD)
  /// Local hosts without their domain.
  public static let noDomain = NameInfoFlags(rawValue: NI_NOFQDN)
  /// The service's name is that of the datagram protocol.
  public static let datagram = NameInfoFlags(rawValue: NI_DGRAM)
}

/// One result of a look-up: what a socket for the address is made of. Answers the tuple of `getaddrinfo`.
public struct AddressInfo: Hashable, Sendable {
  /// The family of the address.
  public var family: AddressFamily
  /// The type of the socket.
  public var type: SocketType
  /// The system's number of the protocol of the socket, for instance `IPPROTO_TCP`; 0 is the usual one of the type.
  public var proto: Int32
  /// The canonical name, if it was requested; in the first result only.
  public var canonicalName: String?
  /// Host and port.
  public var address: SocketAddress

  /// Create a result, for resolvers of your own.
  public init(
    _ address: SocketAddress, type: SocketType = .stream, proto: Int32 = 0, canonicalName: String? = nil
  ) {
    family = address.addressFamily
    self.type = type
    self.proto = proto
    self.canonicalName = canonicalName
    self.address = address
  }

  /// True if a socket for it is a TCP socket.
  var isTCP: Bool { address.isIP && type == .stream && (proto == 0 || proto == Int32(IPPROTO_TCP)) }
}

/// Host and service of an address. Answers the tuple of `getnameinfo`.
public struct NameInfo: Hashable, Sendable {
  /// The name of the host, or its address in digits.
  public var host: String
  /// The name of the service, or the port in digits.
  public var service: String

  /// Create an answer.
  package init(host: String, service: String) { (self.host, self.service) = (host, service) }
}

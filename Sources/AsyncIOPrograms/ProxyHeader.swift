package import AsyncIO

/// What a proxy tells its target about a client, before the client's bytes: the header of the PROXY protocol of
/// HAProxy, version 1 (a line of text) or 2 (binary). A target that expects it knows the client's address as if there
/// were no proxy.
package struct ProxyHeader: Equatable, Sendable {
  package enum Version: String, CaseIterable, Sendable { case v1, v2 }

  /// What the header says.
  package enum Content: Equatable, Sendable {
    /// A TCP connection: two addresses of one family, without zones.
    case tcp(source: SocketAddress, destination: SocketAddress)
    /// A Unix socket. Names are up to 108 bytes, abstract ones with their NUL, empty for none. Version 2 only; version
    /// 1 has no word for it and says that it does not know.
    case unix(source: [UInt8], destination: [UInt8])
    /// The proxy forwards for a client that it cannot name.
    case unknown
    /// The proxy speaks for itself, for instance to check whether the target lives. Version 2 only; version 1 says that
    /// it does not know.
    case local
  }

  package var content: Content

  package init(_ content: Content) { self.content = content }

  /// Create the header for a connection from a source to the address at which the proxy got it. An unknown address, or
  /// two addresses of different families, make it ``Content/unknown``. IPv4 in an IPv6 socket (`::ffff:192.0.2.1`) is
  /// IPv4.
  package init(source: SocketAddress?, destination: SocketAddress?) {
    guard let source, let destination else {
      self.init(.unknown)
      return
    }
    if source.isUnix, destination.isUnix {
      self.init(.unix(source: source.unixNameBytes, destination: destination.unixNameBytes))
    } else if let from = source.plainIPv4, let to = destination.plainIPv4 {
      self.init(.tcp(source: from, destination: to))
    } else if let from = source.plainIPv6, let to = destination.plainIPv6 {
      self.init(.tcp(source: from, destination: to))
    } else {
      self.init(.unknown)
    }
  }

  /// The header as it goes over the connection.
  package func bytes(_ version: Version) -> [UInt8] {
    switch version {
    case .v1: Array(line.utf8)
    case .v2: binary
    }
  }
}

/// The bytes are not a header.
package struct ProxyHeaderError: Error, Equatable, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = "PROXY header: \(description)" }
}

extension ProxyHeader {
  /// Read a header of either version from the beginning of a stream. Returns the header and its length in bytes; nil if
  /// there are not enough bytes yet. Throws if the bytes are not a header.
  package static func parse(_ bytes: [UInt8]) throws(ProxyHeaderError) -> (header: ProxyHeader, count: Int)? {
    // The two differ in their first byte.
    if bytes.first == signature[0] { return try parseBinary(bytes) }
    return try parseLine(bytes)
  }
}

extension SocketAddress {
  /// An IP address in the form of the PROXY protocol: its bytes and a port.
  init?(ipBytes bytes: ArraySlice<UInt8>, port: UInt16) {
    let groups = stride(from: bytes.startIndex, to: bytes.endIndex, by: bytes.count == 4 ? 1 : 2)
    let text =
      bytes.count == 4
      ? groups.map { "\(bytes[$0])" }.joined(separator: ".")
      : groups.map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
    self.init(ipLiteral: text, port: port)
  }

  /// The bytes of an IP address, without port and zone; empty for others.
  var ipBytes: [UInt8] {
    withBytes { bytes in
      if isIPv4, bytes.count >= 8 { return Array(bytes[4..<8]) }
      if isIPv6, bytes.count >= 24 { return Array(bytes[8..<24]) }
      return []
    }
  }

  /// The address as IPv4, even if it is one in an IPv6 socket.
  fileprivate var plainIPv4: SocketAddress? {
    if isIPv4 { return self }
    let bytes = ipBytes
    guard bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 255, bytes[11] == 255 else {
      return nil
    }
    return SocketAddress(ipBytes: bytes[12...], port: port ?? 0)
  }

  /// The address as IPv6, without what only this machine understands.
  fileprivate var plainIPv6: SocketAddress? {
    isIPv6 ? SocketAddress(ipBytes: ipBytes[...], port: port ?? 0) : nil
  }

  /// The name of a Unix socket, as the system has it, without the terminating NUL of a path.
  fileprivate var unixNameBytes: [UInt8] {
    let name = withBytes { Array($0.dropFirst(2)) }
    return name.first == 0 ? name : Array(name.prefix { $0 != 0 })
  }
}

internal import CAsyncIO

// Look-ups that need no resolver: literal addresses and no host at all, with a port in digits. The answers are those
// that the system gives, without its thread.

enum Literals {
  /// The kinds of socket that the system answers with if none is requested, with their protocols.
  private static let kinds: [(type: SocketType, proto: Int32)] = [
    (.stream, Int32(IPPROTO_TCP)), (.datagram, Int32(IPPROTO_UDP)), (.raw, 0),
  ]

  /// A query whose text was read, once: the system answers it, or `addresses` does.
  struct Reading {
    /// The query, without anything that the C library would read in another way than this package.
    var query: AddressQuery
    /// The host, if it is an address.
    fileprivate var literal: SocketAddress?
    /// The service, if it is a port.
    fileprivate var port: UInt16?
  }

  /// Read a query. Throws for text that is neither an address nor a name, and neither a port nor a service.
  static func read(_ query: AddressQuery) throws(ResolutionError) -> Reading {
    if let host = query.host { try check(text: host) }
    if let service = query.service { try check(text: service) }
    var reading = Reading(query: query, port: query.service.map { UInt16($0) } ?? 0)
    if let host = query.host, SocketAddress.isNoName(host) {
      guard let address = SocketAddress(ipLiteral: host, port: reading.port ?? 0) else {
        throw ResolutionError(
          host: host, reason: "it is neither a name nor a literal address such as 192.0.2.1 or fe80::1%eth0")
      }
      reading.literal = address
      // Text without a zone is read alike everywhere.
      if address.scope != nil { reading.query.host = address.host }
    }
    if let service = query.service { try check(service: service, port: reading.port) }
    return reading
  }

  /// Check for a NUL, which would cut the name short: the C call would look up another host than the caller named.
  private static func check(text: String) throws(ResolutionError) {
    guard text.hasNUL || text.utf8.count > 1024 else { return }
    throw ResolutionError(host: text, reason: "it is not a name")
  }

  /// Check a service: the C library would take a sign, cut what is too large, and skip white space.
  private static func check(service: String, port: UInt16?) throws(ResolutionError) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    let first = service.utf8.first ?? 0
    if port != nil, digits ~= first { return }
    let isNumber = service.utf8.allSatisfy { digits ~= $0 }
    let hasFront = first <= UInt8(ascii: " ") || first == UInt8(ascii: "+") || first == UInt8(ascii: "-")
    guard hasFront || isNumber else { return }
    throw ResolutionError(host: service, reason: "it is neither a port from 0 to 65535 nor the name of a service")
  }

  /// Return the addresses; nil if the query needs the resolver.
  static func addresses(_ reading: Reading) throws(ResolutionError) -> [AddressInfo]? {
    let query = reading.query
    guard let port = reading.port, isPlain(query.flags), let sockets = sockets(query) else { return nil }
    guard let literals = try literals(reading, port) else { return nil }
    return literals.flatMap { address in
      sockets.map { AddressInfo(address, type: $0.type, proto: $0.proto) }
    }
  }

  /// Return whether the flags are plain: those that change addresses or add to them are left to the system.
  private static func isPlain(_ flags: AddressInfoFlags) -> Bool {
    flags.isSubset(of: [.passive, .numericHost, .numericService, .configuredOnly])
  }

  private static func sockets(_ query: AddressQuery) -> [(type: SocketType, proto: Int32)]? {
    // Alone, raw sockets have no ports, and the system says so.
    if query.type == .raw { return nil }
    let found = kinds.filter { kind in
      (query.type == .unspecified || query.type == kind.type) && (query.proto == 0 || query.proto == kind.proto)
    }
    return found.isEmpty ? nil : found
  }

  private static func literals(_ reading: Reading, _ port: UInt16) throws(ResolutionError) -> [SocketAddress]? {
    let query = reading.query
    guard let host = query.host else {
      let literals = query.flags.contains(.passive) ? ["0.0.0.0", "::"] : ["127.0.0.1", "::1"]
      let found = literals.compactMap { SocketAddress(ipLiteral: $0, port: port) }
      let admitted = found.filter { query.family.admits($0.addressFamily) }
      return admitted.isEmpty ? nil : admitted
    }
    guard let address = reading.literal else { return nil }
    guard query.family.admits(address.addressFamily) else {
      throw ResolutionError(host: host, reason: "it is a literal of \(address.addressFamily), not of \(query.family)")
    }
    return [address]
  }
}

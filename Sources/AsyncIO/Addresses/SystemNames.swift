internal import CAsyncIO

/// The system's resolver. Blocks its thread.
package enum SystemNames {
  /// Answer a query by getaddrinfo(3).
  package static func addresses(_ query: AddressQuery) throws -> [AddressInfo] {
    var hints = addrinfo()
    hints.ai_family = query.family.rawValue
    hints.ai_socktype = query.type.rawValue
    hints.ai_protocol = query.proto
    hints.ai_flags = query.flags.rawValue
    var list: UnsafeMutablePointer<addrinfo>?
    // The system needs at least one of the two.
    let service = query.host == nil ? query.service ?? "0" : query.service
    let status = casyncio_resolve(query.host, service, &hints, &list)
    guard status == 0 else { throw ResolutionError(query, status: status) }
    defer { casyncio_free_addresses(list) }
    var found: [AddressInfo] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ai_next
      guard let address = entry.ai_addr else { continue }
      let info = AddressInfo(
        SocketAddress(copying: UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen))),
        type: SocketType(rawValue: entry.ai_socktype), proto: entry.ai_protocol,
        canonicalName: entry.ai_canonname.map { String(cString: $0) })
      if !found.contains(info) { found.append(info) }
    }
    return found
  }

  /// Name an address by getnameinfo(3).
  package static func names(_ address: SocketAddress, _ flags: NameInfoFlags) throws -> NameInfo {
    // As long as the system ever makes them.
    var host = [CChar](repeating: 0, count: 1025)
    var service = [CChar](repeating: 0, count: 256)
    let status = address.withSockaddr {
      casyncio_look_up_names(
        $0, $1, &host, socklen_t(host.count), &service, socklen_t(service.count), flags.rawValue)
    }
    guard status == 0 else { throw ResolutionError(host: "\(address)", status: status) }
    return NameInfo(host: text(host), service: text(service))
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

extension ResolutionError {
  /// Create the error of a getaddrinfo status.
  init(_ query: AddressQuery, status: Int32) {
    self.init(host: (status == EAI_SERVICE ? query.service : query.host) ?? "", status: status)
  }

  /// Create the error of a getnameinfo status.
  init(host: String, status: Int32) {
    self.init(host: host, reason: String(cString: casyncio_resolver_error(status)))
  }
}

internal import CAsyncIO

/// Turns host names into addresses.
///
/// getaddrinfo(3) blocks, for as long as the resolver likes, and cannot be interrupted. So names have a thread pool of
/// their own, which user work cannot fill and which cannot starve user work; an awaiting task that is cancelled goes
/// on at once, and the late answer is thrown away. Literal addresses need no thread.
enum Resolver {
  private static let pool = ThreadPool(maximumThreads: 8, name: "asyncio dns")

  /// Addresses of a host for stream sockets, in the resolver's order, without duplicates. `nil` and "" mean every
  /// interface when `passive`, else the loopback.
  static func addresses(
    of host: String?, port: UInt16, passive: Bool, on loop: BaseEventLoop
  ) async throws -> [SocketAddress] {
    guard let host, !host.isEmpty else {
      let literals = passive ? ["0.0.0.0", "::"] : ["127.0.0.1", "::1"]
      return literals.compactMap { SocketAddress(ipLiteral: $0, port: port) }
    }
    if let literal = SocketAddress(ipLiteral: host, port: port) { return [literal] }
    let found = try await loop.runInExecutor(pool) { try lookUp(host, port, passive) }.get()
    guard !found.isEmpty else { throw ResolutionError(host: host, reason: "it has no addresses") }
    return found
  }

  private static func lookUp(_ host: String, _ port: UInt16, _ passive: Bool) throws -> [SocketAddress] {
    // A NUL inside would cut the name short: the C call would look up another host than the caller named.
    guard !host.utf8.contains(0), host.utf8.count <= 1024 else {
      throw ResolutionError(host: host, reason: "it is not a host name")
    }
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = casyncio_stream_type
    hints.ai_flags = passive ? AI_PASSIVE : 0
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0 else {
      throw ResolutionError(host: host, reason: String(cString: gai_strerror(status)))
    }
    defer { freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ai_next
      guard let address = entry.ai_addr else { continue }
      let parsed = SocketAddress(copying: UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))
      if !found.contains(parsed) { found.append(parsed) }
    }
    return found
  }
}

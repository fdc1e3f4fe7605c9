extension EventLoop {
  /// Look up the addresses of a host, in the resolver's order. Literal addresses are answered at once; names are looked
  /// up in 8 threads that do nothing else. Cancelling the task ends the wait; the look-up goes on to its end, and its
  /// answer is dropped. Any thread. Answers `getaddrinfo`.
  ///
  /// - Parameters:
  ///   - host: a name or a literal; nil and "" mean this machine, every interface with the flag `passive`, else the
  ///     loopback.
  ///   - port: goes into the addresses.
  ///   - family: addresses of one family only.
  ///   - type: for sockets of one type only.
  ///   - proto: the system's number of a protocol; 0 is any.
  ///   - flags: how to look up.
  /// - Throws: ``ResolutionError``, `CancellationError`; code `closed`; `notOffered` by loops of other packages.
  public func getaddrinfo(
    host: String?, port: UInt16?, family: AddressFamily = .unspecified, type: SocketType = .unspecified,
    proto: Int32 = 0, flags: AddressInfoFlags = []
  ) async throws -> [AddressInfo] {
    try await getaddrinfo(
      host: host, port: port.map { "\($0)" } ?? "", family: family, type: type, proto: proto, flags: flags)
  }

  /// Look up a host with the name of a service, for instance "http", or a number in digits; "" is port 0. See
  /// ``getaddrinfo(host:port:family:type:proto:flags:)-(_,UInt16?,_,_,_,_)``.
  public func getaddrinfo(
    host: String?, port: String, family: AddressFamily = .unspecified, type: SocketType = .unspecified,
    proto: Int32 = 0, flags: AddressInfoFlags = []
  ) async throws -> [AddressInfo] {
    try await checkpoint()
    var query = AddressQuery(host: host, service: port)
    (query.family, query.type, query.proto, query.flags) = (family, type, proto, flags)
    return try await Resolver.addresses(query, on: core(for: "getaddrinfo"))
  }

  /// Look up host and service of an address. With both flags `numericHost` and `numericService` the answer is in digits
  /// and comes at once. Threads and cancellation as for `getaddrinfo`. Any thread. Answers `getnameinfo`.
  ///
  /// - Throws: ``ResolutionError``, `CancellationError`; code `closed`; `notOffered` by loops of other packages.
  public func getnameinfo(_ address: SocketAddress, flags: NameInfoFlags = []) async throws -> NameInfo {
    try await checkpoint()
    return try await Resolver.names(address, flags, on: core(for: "getnameinfo"))
  }
}

extension BaseEventLoop {
  /// The service that answers look-ups that need a thread. Any thread.
  package final var nameService: NameService {
    get { shared.withLock { $0.nameService } ?? NameService() }
    set { shared.withLock { $0.nameService = newValue } }
  }

  /// The threads of look-ups; nil for the threads of the resolver. Any thread.
  package final var nameThreads: ThreadPool? {
    get { shared.withLock { $0.nameThreads } }
    set { shared.withLock { $0.nameThreads = newValue } }
  }
}

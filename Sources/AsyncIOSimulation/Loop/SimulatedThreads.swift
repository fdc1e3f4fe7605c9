internal import AsyncIO

/// Threads of a simulated world: their work happens in the loop's thread, a while after it was requested.
///
/// In the loop's thread, which is what makes the unchecked conformance right.
final class SimulatedThreads: @unchecked Sendable {
  private let network: SimulatedNetwork

  init(_ network: SimulatedNetwork) { self.network = network }

  /// Make a pool for `runInExecutor`, `toThread` and look-ups.
  func pool(_ name: String, maximumThreads: Int, slowedBy slow: FaultClass) -> ThreadPool {
    ThreadPool(maximumThreads: maximumThreads, name: name, idleTime: .zero) { [network] work in
      var time = 20_000 + network.random.around(50_000 as Int64)
      if network.strike(slow) { time += network.faults.duration(around: .seconds(2), for: slow) }
      network.events.schedule(
        .action {
          network.note(.work)
          work()
        }, at: network.now + time)
    }
  }
}

/// Names of a simulated world: its hosts.
enum SimulatedNames {
  static func service(_ network: SimulatedNetwork) -> NameService {
    let names = Names(network)
    return NameService(addresses: { try names.addresses($0) }, names: { try names.names($0, $1) })
  }

  /// In the loop's thread, where the pool of a simulation works; that is what makes the unchecked conformance right.
  private final class Names: @unchecked Sendable {
    private unowned let network: SimulatedNetwork

    init(_ network: SimulatedNetwork) { self.network = network }

    func addresses(_ query: AddressQuery) throws -> [AddressInfo] {
      let host = query.host ?? "localhost"
      if network.strike(.failedNames) { throw ResolutionError(host: host, reason: "the resolver does not answer") }
      guard let machine = network.hosts.first(where: { $0.name == host }) else {
        throw ResolutionError(host: host, reason: "no host of this world has the name")
      }
      guard let port = UInt16(query.service ?? "0") else {
        throw ResolutionError(host: host, reason: "\(query.service ?? "") is not a port")
      }
      let literals = machine.addresses.compactMap { SocketAddress(ipLiteral: $0, port: port) }
      let fitting = literals.filter { query.family == .unspecified || $0.addressFamily == query.family }
      let types: [SocketType] = query.type == .unspecified ? [.stream, .datagram] : [query.type]
      return fitting.flatMap { address in
        types.map { AddressInfo(address, type: $0, proto: $0 == .stream ? 6 : 17) }
      }
    }

    func names(_ address: SocketAddress, _ flags: NameInfoFlags) throws -> NameInfo {
      let host = address.host ?? ""
      let name = network.hosts.first { $0.addresses.contains(host) }?.name
      if name == nil, flags.contains(.nameRequired) {
        throw ResolutionError(host: host, reason: "no host of this world has the address")
      }
      return NameInfo(host: flags.contains(.numericHost) ? host : name ?? host, service: "\(address.port ?? 0)")
    }
  }
}

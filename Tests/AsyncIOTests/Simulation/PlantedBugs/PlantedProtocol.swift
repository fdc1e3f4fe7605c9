import AsyncIO
import Testing

@testable import AsyncIOSimulation

/// A small protocol that is right, and goes wrong in ways that can be planted.
struct PlantedProtocol: Sendable, CustomTestStringConvertible {
  let name: String
  let bugs: [PlantedBug]
  /// What it survives without a bug.
  let faults: FaultPlan
  let scenario: @Sendable (SimulationWorld, PlantedBug?) async throws -> Void

  var testDescription: String { name }

  static let all = [
    framed, frames, exactlyOnce, lines, pool, lease, register, heartbeat, workQueue, singleFlight, limiter, ring,
    transfers, download,
  ]
}

/// What a network does to programs that are right.
func isTrouble(_ error: any Error) -> Bool {
  error is IOError || error is ConnectError || error is ResolutionError || error is IncompleteReadError
    || error is TimeoutError || error is PeerGone
}

extension SimulationWorld {
  /// Try until the network lets it through, with growing pauses.
  func retrying<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    var pause = Duration.milliseconds(10)
    while true {
      do { return try await body() } catch let error where isTrouble(error) {}
      try await AsyncIO.sleep(for: pause)
      pause = min(pause * 2, .seconds(1))
    }
  }

  /// Start a server on the host of this name.
  func serve(
    _ name: String, _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) {
    host(name).start("server") { [self] in
      let listener = try await retrying { try await StreamListener.bind(host: name, port: 80) }
      defer { listener.close() }
      try await listener.serve { connection in
        do { try await handler(connection) } catch let error where isTrouble(error) {}
      }
    }
  }

  /// The IPv4 address of a host, which needs no look-up.
  func address(_ name: String) -> String { host(name).addresses[1] }

  /// A datagram socket of the host that runs this.
  func endpoint(_ name: String, port: UInt16 = 0) async throws -> DatagramEndpoint {
    try await retrying { try await DatagramEndpoint.bind(host: address(name), port: port) }
  }

  /// Crash a host at some time within the span, and let it come up again after a while.
  func crashOnce(_ host: SimulationHost, within span: Duration, down: Duration = .seconds(1)) async throws {
    try await AsyncIO.sleep(for: random.around(span / 4))
    host.crash()
    try await AsyncIO.sleep(for: random.around(down / 2))
    host.restart()
  }
}

extension DatagramEndpoint {
  /// Send words; what the network does with them is its business.
  func say(_ words: [String], to address: SocketAddress) async throws {
    do { try await send(Array(words.joined(separator: " ").utf8), to: address) } catch is IOError {}
  }

  /// The next words, or nil if none come within the time.
  func hear(within limit: Duration) async throws -> (words: [String], from: SocketAddress)? {
    do {
      let datagram = try await withTimeout(limit) { try await receive() }
      let words = String(decoding: datagram.bytes, as: UTF8.self).split(separator: " ").map(String.init)
      return (words, datagram.address)
    } catch is TimeoutError {
      return nil
    }
  }
}

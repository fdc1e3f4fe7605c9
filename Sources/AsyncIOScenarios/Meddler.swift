internal import AsyncIO
internal import AsyncIOSimulation

/// Somebody between a client and a server, who passes their bytes on, and not always as they are. For tasks of one
/// world, which is what makes the unchecked conformance right.
final class Meddler: @unchecked Sendable {
  private let world: SimulationWorld
  var isMeddling = false

  init(_ world: SimulationWorld) { self.world = world }

  /// Serve the clients of this host.
  func serve() async throws {
    let listener = try await StreamListener.bind(host: "between", port: 443)
    // Its address, because a look-up may take longer than the client waits.
    let address = world.host("server").addresses[1]
    try await listener.serve { [self] near in
      let far = try await world.untilConnected { try await StreamConnection.connect(host: address, port: 443) }
      defer { far.close() }
      async let back: Void = pass(from: far, to: near)
      try await pass(from: near, to: far)
      try await back
    }
  }

  private func pass(from source: StreamConnection, to target: StreamConnection) async throws {
    do {
      while case let bytes = try await source.read(upTo: 1 + world.random.below(3000)), !bytes.isEmpty {
        guard let changed = meddle(bytes) else { break }
        if !changed.isEmpty { try await target.write(changed) }
      }
      try target.writeEOF()
    } catch  where error.isWeather {}
  }

  /// Return what is passed on; nil to end the stream here.
  private func meddle(_ bytes: [UInt8]) -> [UInt8]? {
    guard isMeddling, world.random.chance(0.15) else { return bytes }
    var bytes = bytes
    let position = world.random.below(bytes.count)
    switch world.random.below(5) {
    case 0: return nil
    case 1: bytes[position] ^= UInt8(1 + world.random.below(255))
    case 2: bytes.removeSubrange(position...)
    case 3: bytes += bytes[position...]
    default: bytes.insert(contentsOf: world.bytes(1 + world.random.below(40)), at: position)
    }
    return bytes
  }
}

import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// A machine says that it is alive to all who want to hear it; a monitor knows soon when it is not.
  static let heartbeat = PlantedProtocol(
    name: "heartbeat",
    bugs: [
      .waitsWithoutLimit, .neverTrustsAgain, .neverReconnects, .subscribesOnce, .leavesReaderBehind,
      .swallowsCancellation,
    ], faults: .hostile
  ) { world, bug in
    world.serve("server") { connection in
      guard try await connection.readLine() == "subscribe" else { return }
      while true {
        try await connection.write("beat\n")
        try await AsyncIO.sleep(for: .milliseconds(500))
      }
    }
    let isTrusted = Kept(false)
    world.host("monitor").start("monitor") {
      try await Monitor(world, bug, isTrusted).run()
    }
    if bug == .swallowsCancellation {
      world.host("monitor").start("reporter") {
        while true {
          do { try await AsyncIO.sleep(for: .seconds(1)) } catch {
            // "Will pass": waits where a cancellation does not reach.
            await Task { try? await AsyncIO.sleep(for: .seconds(1)) }.value
          }
        }
      }
    }
    let server = world.host("server")
    try await world.eventually("the server is trusted") { isTrusted.value }
    server.crash()
    try await world.eventually("the server is known to be gone") { !isTrusted.value }
    server.restart()
    try await world.eventually("the server is trusted again") { isTrusted.value }
  }
}

/// In the loop's thread, which is what makes the unchecked conformance right.
private final class Monitor: @unchecked Sendable {
  private let world: SimulationWorld
  private let bug: PlantedBug?
  private let isTrusted: Kept<Bool>
  private var connections = 0
  private var losses = 0

  init(_ world: SimulationWorld, _ bug: PlantedBug?, _ isTrusted: Kept<Bool>) {
    (self.world, self.bug, self.isTrusted) = (world, bug, isTrusted)
  }

  func run() async throws {
    while true {
      do { try await listen() } catch let error where isTrouble(error) {}
      if isTrusted.value { losses += 1 }
      isTrusted.value = false
      if bug == .neverReconnects, losses > 0 { return }
      try await AsyncIO.sleep(for: .milliseconds(500))
    }
  }

  private func listen() async throws {
    let connection = try await withTimeout(.seconds(3)) { try await StreamConnection.connect(host: "server", port: 80) }
    connections += 1
    defer { if bug != .leavesReaderBehind { connection.close() } }
    if bug != .subscribesOnce || connections == 1 {
      try await withTimeout(.seconds(3)) { try await connection.write("subscribe\n") }
    }
    while try await line(connection) != nil { isTrusted.value = bug != .neverTrustsAgain || losses == 0 }
  }

  private func line(_ connection: StreamConnection) async throws -> String? {
    let reader = Task { try await connection.readLine() }
    // Closing the connection ends it, if nothing else does.
    return try await limited { try await reader.value }
  }

  /// Do not wait longer, though the body goes on.
  private func limited(_ body: @escaping @Sendable () async throws -> String?) async throws -> String? {
    guard bug != .waitsWithoutLimit else { return try await body() }
    let result = world.loop.createFuture(of: String?.self)
    Task {
      do {
        let line = try await body()
        try? result.setResult(line)
      } catch {
        try? result.setException(error)
      }
    }
    return try await withTimeout(.seconds(5)) { try await result.get() }
  }
}

import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// Two connections for many users, who wait for each other.
  static let pool = PlantedProtocol(
    name: "pool",
    bugs: [
      .countsConnectionsLate, .looksThenWaits, .leavesWaiterBehind, .reusesBrokenConnection, .forgetsToClose,
      .losesPlaceOnError,
    ], faults: .hostile
  ) { world, bug in
    let served = Kept(0)
    world.serve("server") { connection in
      served.value += 1
      defer { served.value -= 1 }
      while let line = try await connection.readLine() { try await connection.write(line + "\n") }
    }
    try await world.host("client").run {
      let pool = Pool(bug)
      world.always("the pool has two connections at most") { pool.opened <= 2 }
      let done = Kept(0)
      let impatient = try world.loop.createTask(name: "impatient") {
        for _ in 0..<20 {
          // Asks, and goes away before it is its turn.
          if let connection = try? await withTimeout(.milliseconds(1), { try await pool.take() }) {
            pool.give(connection, isBroken: false)
          }
          try await AsyncIO.sleep(for: .milliseconds(5))
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for user in 0..<5 {
          group.addTask {
            for number in 0..<3 { try await world.retrying { try await pool.ask("\(user) \(number)", world) } }
            done.value += 1
          }
        }
        group.addTask {
          try await world.eventually("every user is served", within: .seconds(600)) { done.value == 5 }
        }
        try await group.waitForAll()
      }
      _ = try? await impatient.get()
      pool.close()
      try await world.eventually("the server is rid of all connections", within: .seconds(600)) { served.value == 0 }
    }
  }
}

/// In the loop's thread, which is what makes the unchecked conformance right.
private final class Pool: @unchecked Sendable {
  private final class Waiter: @unchecked Sendable {
    // Also in the loop's thread.
    let event = Event()
    var connection: StreamConnection?
  }

  private let bug: PlantedBug?
  private(set) var opened = 0
  private var idle: [StreamConnection] = []
  private var waiters: [Waiter] = []
  private var forgotten: [StreamConnection] = []

  init(_ bug: PlantedBug?) { self.bug = bug }

  func ask(_ question: String, _ world: SimulationWorld) async throws {
    let connection = try await take()
    do {
      let answer = try await withTimeout(.milliseconds(500)) {
        try await connection.write(question + "\n")
        return try await connection.readLine()
      }
      guard let answer else { throw PeerGone() }
      try world.require(answer == question, "\(question) has the answer \(answer)")
    } catch {
      give(connection, isBroken: bug != .reusesBrokenConnection)
      throw error
    }
    give(connection, isBroken: false)
  }

  func take() async throws -> StreamConnection {
    while true {
      if let connection = idle.popLast() { return connection }
      if opened < 2 { return try await open() }
      if bug == .looksThenWaits { try await AsyncIO.sleep(for: .milliseconds(20)) }
      let waiter = Waiter()
      waiters.append(waiter)
      do {
        try await waiter.event.wait()
      } catch {
        if bug != .leavesWaiterBehind { waiters.removeAll { $0 === waiter } }
        if waiter.event.isSet { pass(waiter.connection) }
        throw error
      }
      if let connection = waiter.connection { return connection }
    }
  }

  private func open() async throws -> StreamConnection {
    if bug != .countsConnectionsLate { opened += 1 }
    do {
      let connection = try await withTimeout(.seconds(1)) {
        try await StreamConnection.connect(host: "server", port: 80)
      }
      if bug == .countsConnectionsLate { opened += 1 }
      return connection
    } catch {
      if bug == .losesPlaceOnError || bug == .countsConnectionsLate { throw error }
      opened -= 1
      pass(nil)
      throw error
    }
  }

  func give(_ connection: StreamConnection, isBroken: Bool) {
    if isBroken {
      if bug == .forgetsToClose { forgotten.append(connection) } else { connection.close() }
      opened -= 1
      pass(nil)
    } else {
      pass(connection)
    }
  }

  /// Hand a connection, or the right to open one, to the task that has waited longest.
  private func pass(_ connection: StreamConnection?) {
    guard !waiters.isEmpty else {
      if let connection { idle.append(connection) }
      return
    }
    let waiter = waiters.removeFirst()
    waiter.connection = connection
    waiter.event.set()
  }

  func close() {
    for connection in idle { connection.close() }
    idle = []
  }
}

import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// Items go through a queue with room for one; none is lost, none comes twice.
  static let workQueue = PlantedProtocol(
    name: "work queue", bugs: [.looksOnce, .wakesWrongKind, .losesItemOnTimeout, .stopsBeforeEmpty], faults: .none
  ) { world, bug in
    world.turnLimit = 20_000
    let queue = WorkQueue(bug)
    let done = Kept<[Int]>([])
    world.always("the queue has room for one") { queue.items.count <= 1 }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for producer in 0..<3 {
        group.addTask {
          for number in 0..<6 { try await queue.put(producer * 6 + number) }
          try await queue.producerEnded(of: 3)
        }
      }
      for _ in 0..<3 {
        group.addTask { try await consume(queue, done, world, bug) }
      }
      try await group.waitForAll()
    }
    try world.require(done.value.sorted() == Array(0..<18), "not every item came once: \(done.value)")
  }

  @Sendable private static func consume(
    _ queue: WorkQueue, _ done: Kept<[Int]>, _ world: SimulationWorld, _ bug: PlantedBug?
  ) async throws {
    while true {
      do {
        let item = try await patiently(world.seed % 2 == 0 ? .milliseconds(3) : nil) {
          let item = try await queue.take()
          // It writes a line about it before it hands it on.
          if bug == .losesItemOnTimeout { try await AsyncIO.sleep(for: world.random.around(.milliseconds(1))) }
          return item
        }
        guard let item else { return }
        done.value.append(item)
        world.note("item \(item)")
        try await AsyncIO.sleep(for: world.random.around(.milliseconds(1)))
      } catch is TimeoutError {
        // Looks whether there is other work to do; there is none.
      }
    }
  }
}

/// With a limit or without one: in some worlds everybody is patient.
private func patiently(_ limit: Duration?, _ body: () async throws -> Int?) async throws -> Int? {
  guard let limit else { return try await body() }
  return try await withTimeout(limit, body)
}

/// In the loop's thread, which is what makes the unchecked conformance right.
private final class WorkQueue: @unchecked Sendable {
  private let bug: PlantedBug?
  private let condition = Condition()
  private(set) var items: [Int] = []
  private var ended = 0
  private var isClosed = false

  init(_ bug: PlantedBug?) { self.bug = bug }

  func put(_ item: Int) async throws {
    try await condition.withLock {
      try await wait { items.isEmpty }
      items.append(item)
      try wake()
    }
  }

  /// Nil at the end.
  func take() async throws -> Int? {
    try await condition.withLock {
      try await wait { !items.isEmpty || isClosed }
      if items.isEmpty || (bug == .stopsBeforeEmpty && isClosed) { return nil }
      defer { try? wake() }
      return items.removeFirst()
    }
  }

  func producerEnded(of producers: Int) async throws {
    try await condition.withLock {
      ended += 1
      isClosed = ended == producers
      if isClosed { try condition.notifyAll() }
    }
  }

  private func wait(_ isReady: () -> Bool) async throws {
    if bug == .looksOnce {
      if !isReady() { try await condition.wait() }
    } else {
      while !isReady() { try await condition.wait() }
    }
  }

  private func wake() throws {
    if bug == .wakesWrongKind { try condition.notify() } else { try condition.notifyAll() }
  }
}

import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// A value that takes a while to fetch, may fail, and changes now and then.
  static let singleFlight = PlantedProtocol(
    name: "single flight",
    bugs: [
      .everybodyFetches, .keepsFailedFetch, .leaderLeavesOthersWaiting, .storesOutdatedValue, .joinsOutdatedFetch,
    ],
    faults: .none
  ) { world, bug in
    let cache = Cache(world, bug)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<5 {
            try await AsyncIO.sleep(for: world.random.around(.milliseconds(2)))
            let least = cache.current
            let value = try await patiently(world) { try await cache.value() }
            try world.require(value >= least, "the value was \(least) already, and \(value) was given")
          }
        }
      }
      group.addTask {
        // Loses its patience.
        for _ in 0..<5 { _ = try? await withTimeout(.milliseconds(1)) { try await cache.value() } }
      }
      group.addTask {
        for _ in 0..<4 {
          try await AsyncIO.sleep(for: world.random.around(.milliseconds(3)))
          cache.change()
        }
      }
      try await group.waitForAll()
    }
  }

  @Sendable private static func patiently(
    _ world: SimulationWorld, _ body: () async throws -> Int
  ) async throws -> Int {
    for _ in 0..<200 {
      do { return try await body() } catch is PeerGone {}
      try await AsyncIO.sleep(for: .milliseconds(1))
    }
    try world.require(false, "a value is never given any more")
    return 0
  }
}

/// In the loop's thread, which is what makes the unchecked conformance right.
private final class Cache: @unchecked Sendable {
  private final class Fetch: @unchecked Sendable {
    // Also in the loop's thread.
    let hasEnded = Event()
    var result: Result<Int, any Error>?
  }

  private let world: SimulationWorld
  private let bug: PlantedBug?
  private var stored: Int?
  private var fetch: Fetch?
  /// What the origin has.
  private(set) var current = 0
  private var fetching: [Int] = []

  init(_ world: SimulationWorld, _ bug: PlantedBug?) { (self.world, self.bug) = (world, bug) }

  func change() {
    current += 1
    stored = nil
    if bug != .joinsOutdatedFetch { fetch = nil }
  }

  func value() async throws -> Int {
    while true {
      if let stored { return stored }
      guard let fetch, bug != .everybodyFetches else { return try await lead() }
      try await fetch.hasEnded.wait()
      switch fetch.result {
      case .success(let value): return value
      case .failure(let error) where !(error is CancellationError): throw error
      default: continue
      }
    }
  }

  private func lead() async throws -> Int {
    let fetch = Fetch()
    self.fetch = fetch
    let began = current
    var isKept = false
    do {
      let value = try await origin()
      if began == current || bug == .storesOutdatedValue { stored = value }
      fetch.result = .success(value)
    } catch {
      if bug == .leaderLeavesOthersWaiting, error is CancellationError { throw error }
      fetch.result = .failure(error)
      isKept = bug == .keepsFailedFetch && error is PeerGone
    }
    if self.fetch === fetch, !isKept { self.fetch = nil }
    fetch.hasEnded.set()
    return try fetch.result!.get()
  }

  private func origin() async throws -> Int {
    let value = current
    try world.require(!fetching.contains(value), "two fetch one value at a time")
    fetching.append(value)
    world.note("fetches \(value)")
    defer { fetching.removeAll { $0 == value } }
    try await AsyncIO.sleep(for: world.random.around(.milliseconds(1)))
    if world.random.chance(0.2) { throw PeerGone() }
    return value
  }
}

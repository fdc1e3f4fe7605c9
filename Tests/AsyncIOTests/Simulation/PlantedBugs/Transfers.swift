import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// Money goes from account to account, each with a lock of its own, and its sum stays.
  static let transfers = PlantedProtocol(
    name: "transfers", bugs: [.locksInAnyOrder, .readsBeforeLocking], faults: .none
  ) { world, bug in
    let accounts = (0..<3).map { _ in Account() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask {
          for _ in 0..<5 {
            let from = world.random.below(3)
            let to = (from + 1 + world.random.below(2)) % 3
            world.note("from \(from) to \(to)")
            try await transfer(from, to, accounts, bug)
          }
        }
      }
      try await group.waitForAll()
    }
    let sum = accounts.reduce(0) { $0 + $1.balance }
    try world.require(sum == 300, "there were 300, and there are \(sum)")
  }

  @Sendable private static func transfer(
    _ from: Int, _ to: Int, _ accounts: [Account], _ bug: PlantedBug?
  ) async throws {
    let order = bug == .locksInAnyOrder ? [from, to] : [min(from, to), max(from, to)]
    let early = accounts[to].balance
    try await accounts[order[0]].lock.withLock {
      await Task.yield()
      try await accounts[order[1]].lock.withLock {
        accounts[from].balance -= 1
        let before = bug == .readsBeforeLocking ? early : accounts[to].balance
        await Task.yield()
        accounts[to].balance = before + 1
      }
    }
  }
}

/// In the loop's thread, which is what makes the unchecked conformance right.
private final class Account: @unchecked Sendable {
  let lock = AsyncLock()
  var balance = 100
}

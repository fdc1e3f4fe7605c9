internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Locks and their kin, under cancellations by chance.
  static let locks: [Scenario] = [
    Scenario(
      "lock", "A lock has one owner, a semaphore no more than it has permits, and everybody gets through", faults: .none
    ) { world in
      let (lock, semaphore, owners, users) = (AsyncLock(), try BoundedSemaphore(2), Counter(), Counter())
      world.always("a lock has one owner") { owners.value <= 1 }
      world.always("a semaphore gives two permits") { users.value <= 2 }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<5 {
          group.addTask {
            for _ in 0..<5 {
              try await hastily(world) {
                try await lock.withLock {
                  owners.add()
                  defer { owners.add(-1) }
                  try await world.pause(around: .microseconds(200))
                }
              }
              try await hastily(world) {
                try await semaphore.withPermit {
                  users.add()
                  defer { users.add(-1) }
                  try await world.pause(around: .microseconds(200))
                }
              }
            }
            // Without haste every task gets its turn.
            try await lock.withLock {}
            try await semaphore.withPermit {}
          }
        }
        try await group.waitForAll()
      }
      try world.require(!lock.isLocked && !semaphore.isLocked, "a lock is locked, and nobody has it")
      try await semaphore.acquire()
      try await semaphore.acquire()
      try world.require(semaphore.isLocked, "a permit was made out of nothing")
      world.sometimes("two have a permit at a time", users.peak == 2)
    },
    Scenario(
      "condition", "No wake-up of a condition is lost, and none wakes a task without the lock", faults: .none
    ) { world in
      let (condition, items, taken, inside) = (Condition(), Counter(), Counter(), Counter())
      world.always("a condition's lock has one owner") { inside.value <= 1 }
      let total = 10
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            while taken.value < total {
              try await hastily(world) {
                try await condition.withLock {
                  try await condition.wait { items.value > 0 || taken.value == total }
                  inside.add()
                  defer { inside.add(-1) }
                  guard items.value > 0 else { return }
                  items.add(-1)
                  taken.add()
                  if taken.value == total { try condition.notifyAll() }
                }
              }
            }
          }
        }
        group.addTask {
          for _ in 0..<total {
            try await world.pause(around: .microseconds(300))
            try await condition.withLock {
              inside.add()
              defer { inside.add(-1) }
              items.add()
              // One wake-up for one thing: a lost one is a deadlock.
              try condition.notify()
            }
          }
        }
        try await group.waitForAll()
      }
      try world.require(items.value == 0 && taken.value == total, "\(taken.value) of \(total) were taken")
    },
    Scenario(
      "barrier", "A barrier lets through all of its parties at a time, and none alone", faults: .none
    ) { world in
      let (barrier, event, passed) = (try Barrier(3), Event(), Ledger<Int>())
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 {
          group.addTask {
            try await event.wait()
            var rounds = 0
            while rounds < 4 {
              try await hastily(world) {
                try await world.pause(around: .microseconds(200))
                passed.entries.append(try await barrier.wait())
                rounds += 1
              }
            }
          }
        }
        try await world.pause(around: .milliseconds(1))
        event.set()
        try await group.waitForAll()
      }
      try world.require(barrier.waitingCount == 0, "somebody waits at a barrier that all have passed")
      try world.require(
        passed.entries.sorted() == [0, 1, 2].flatMap { [$0, $0, $0, $0] }, "passed: \(passed.entries)")
    },
  ]

  /// Queues, under cancellations by chance.
  static let queues: [Scenario] = [
    Scenario(
      "queue", "What is put into a queue is got once, in order, whatever is cancelled meanwhile", faults: .none
    ) { world in
      let queue = Queue<Int>(maxSize: 1 + world.random.below(3))
      let consumers = (0..<3).map { _ in Ledger<Int>() }
      world.always("a queue has no more than it may") { queue.count <= queue.maxSize }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for got in consumers {
          group.addTask {
            while true {
              do {
                try await hastily(world) {
                  got.entries.append(try await queue.get())
                  try queue.taskDone()
                }
              } catch is QueueShutDownError { return }
              try await world.pause(around: .microseconds(100))
            }
          }
        }
        try await withThrowingTaskGroup(of: Void.self) { producers in
          for producer in 0..<3 {
            producers.addTask {
              var number = 0
              while number < 8 {
                try await hastily(world) {
                  try await queue.put(producer * 100 + number)
                  number += 1
                }
              }
            }
          }
          try await producers.waitForAll()
        }
        try await queue.join()
        let got = consumers.flatMap(\.entries)
        try world.require(got.count == 24 && Set(got).count == 24, "got, when all was done: \(got)")
        queue.shutDown()
        try await group.waitForAll()
      }
      // A task that is served first may go on last; what one producer gave to one consumer keeps its order.
      for got in consumers {
        for producer in 0..<3 {
          let own = got.entries.filter { $0 / 100 == producer }
          try world.require(own == own.sorted(), "of \(producer) came \(own)")
        }
      }
    }
  ]
}

/// Run the body, and perhaps cancel it after a while. A body that is cancelled is not tried again.
private func hastily(_ world: SimulationWorld, _ body: () async throws -> Void) async throws {
  guard world.random.chance(0.6) else { return try await body() }
  do {
    try await withTimeout(world.random.around(.microseconds(400))) { try await body() }
  } catch is TimeoutError { world.sometimes("somebody is cancelled") }
}

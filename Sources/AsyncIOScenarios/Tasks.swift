internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Tasks in company.
  static let tasks: [Scenario] = [
    Scenario(
      "groups", "A group of tasks ends when all of them have, and says what went wrong", faults: .none
    ) { world in
      for _ in 0..<3 {
        let (running, failed, isHasty) = (Counter(), Ledger<Int>(), world.random.chance(0.4))
        let limit = isHasty ? world.random.around(.milliseconds(1)) : .seconds(60)
        do {
          try await withTimeout(limit) {
            try await withLoopTaskGroup { group in
              for number in 0..<5 {
                try group.createTask {
                  running.add()
                  defer { running.add(-1) }
                  try await work(world, number, failed)
                }
                if world.random.chance(0.3) { try await world.pause(around: .microseconds(200)) }
              }
            }
          }
          try world.require(failed.entries.isEmpty, "nothing was said of the failure of \(failed.entries)")
        } catch let error as TaskGroupError {
          let numbers = error.errors.compactMap { ($0 as? Failed)?.number }
          // A body that makes a task after another one has failed is refused, and that is its error.
          let refusals = error.errors.count { ($0 as? EventLoopError)?.code == .invalidState }
          try world.require(
            refusals < 2 && numbers.count == error.errors.count - refusals && !numbers.isEmpty, "\(error)")
          try world.require(numbers.sorted() == failed.entries.sorted(), "\(failed.entries) failed; told: \(error)")
          world.sometimes("several fail", numbers.count > 1)
        } catch is TimeoutError {
          try world.require(isHasty && failed.entries.isEmpty, "out of time, and nothing of \(failed.entries)")
          world.sometimes("a group is cancelled")
        } catch is EventLoopError {
          // The group was shut down while the body still made tasks.
          try world.require(false, "the body's own error was thrown alone")
        }
        try world.require(running.value == 0, "a group has ended before its tasks")
      }
    },
    Scenario(
      "gather", "A gather gets everything, and cancels everything; a wait or a shield cancels nothing",
      faults: .none
    ) { world in
      let loop = try getRunningLoop()
      func start(_ count: Int) throws -> [LoopTask<Int>] {
        try (0..<count).map { number in
          try loop.createTask {
            try await world.pause(around: .microseconds(500))
            return number
          }
        }
      }
      let gathered = try start(4)
      do {
        let values = try await withTimeout(world.random.around(.milliseconds(2))) { try await gather(gathered) }
        try world.require(values == [0, 1, 2, 3], "gathered: \(values)")
      } catch is TimeoutError { world.sometimes("a gathering is cancelled") }
      try world.require(gathered.allSatisfy(\.isDone), "a gathering ended before its tasks")

      let waited = try start(4)
      let conditions: [WaitCondition] = [.allCompleted, .firstCompleted, .firstException]
      let condition = conditions[world.random.below(3)]
      let (done, pending) = try await wait(
        for: waited, returnWhen: condition, timeout: world.random.around(.milliseconds(2)))
      try world.require(done.count + pending.count == 4 && done.allSatisfy(\.isDone), "wait forgot somebody")
      world.sometimes("a wait runs out of time", !pending.isEmpty && condition == .allCompleted)
      var sum = 0
      for task in waited { sum += try await task.get() }
      try world.require(sum == 6, "a task that was waited for was cancelled")

      let shielded = try start(3)
      for task in shielded {
        do {
          _ = try await withTimeout(world.random.around(.microseconds(500))) { try await shield(task) }
        } catch is TimeoutError { world.sometimes("a shield is left") }
      }
      var order: [Int] = []
      for try await task in try asCompleted(shielded.map { $0 as Future<Int> }) { order.append(try task.result()) }
      try world.require(order.sorted() == [0, 1, 2], "completed: \(order)")
    },
    Scenario(
      "timeouts", "Of limits inside of limits each ends what it was given for", faults: .none
    ) { world in
      for _ in 0..<6 {
        let (outer, inner, work) = (
          world.random.around(.milliseconds(2)), world.random.around(.milliseconds(2)),
          world.random.around(.milliseconds(2))
        )
        let began = world.now
        var ended = ""
        do {
          try await withTimeout(outer) {
            do {
              try await withTimeout(inner) { try await sleep(for: work) }
              ended = "work"
            } catch is TimeoutError { ended = "inner" }
          }
        } catch is TimeoutError { ended = "outer" }
        let time = world.now - began
        let least = min(outer, inner, work)
        try world.require(time >= least && time < least + .microseconds(100), "\(ended) after \(time), not \(least)")
        let expected = least == work ? "work" : least == inner ? "inner" : "outer"
        let gap = [outer, inner, work].sorted()[1] - least
        // What is due in one turn may come in any order.
        try world.require(ended == expected || gap < .microseconds(20), "\(ended) instead of \(expected)")
        try world.require(!Task.isCancelled, "the limit has cancelled its caller")
        world.sometimes("the \(ended) ends it")
      }
    },
    Scenario(
      "moving", "A limit that is moved strikes by its last deadline, and not before", faults: .none
    ) { world in
      for _ in 0..<6 {
        var due: Duration? = world.now + .milliseconds(4)
        do {
          try await withTimeout(.milliseconds(4)) { timeout in
            for _ in 0..<world.random.below(12) {
              try await sleep(for: world.random.around(.milliseconds(1)))
              try world.require(due.map { world.now < $0 + .microseconds(100) } ?? true, "it has not struck")
              let isTakenAway = world.random.below(5) == 0
              let limit = world.random.around(.milliseconds(1))
              let isMoved = isTakenAway ? timeout.reschedule(at: nil) : timeout.reschedule(after: limit)
              // Due in this very turn, it may have struck after the sleep had ended.
              guard isMoved else { return try await sleep(for: .zero) }
              due = isTakenAway ? nil : world.now + limit
            }
            world.sometimes("the body ends")
            world.sometimes("without a limit", due == nil)
          }
        } catch is TimeoutError {
          try world.require(due != nil, "it has struck without a deadline")
          guard let due else { return }
          try world.require(world.now >= due && world.now < due + .microseconds(100), "\(world.now), not \(due)")
          world.sometimes("the limit strikes")
        }
        try world.require(!Task.isCancelled, "the limit has cancelled its caller")
      }
    },
  ]

  /// Work in threads, and the end of a run.
  static let shutdowns: [Scenario] = [
    Scenario(
      "threads", "Work in threads is done once, even if no task waits for it any more",
      faults: {
        var plan = FaultPlan.mild
        plan[.slowThreads] = 0.8
        return plan
      }()
    ) { world in
      let loop = try getRunningLoop()
      let (done, ended) = (Counter(), Counter())
      let futures = try (0..<12).map { number in
        try loop.runInExecutor {
          done.add()
          return number
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (number, future) in futures.enumerated() {
          group.addTask {
            do {
              let value = try await withTimeout(world.random.around(.milliseconds(500))) { try await shield(future) }
              try world.require(value == number, "the value of other work")
            } catch is TimeoutError { world.sometimes("work takes too long") }
            ended.add()
          }
        }
        try await group.waitForAll()
      }
      if world.random.chance(0.5) {
        await loop.shutdownDefaultExecutor(timeout: nil)
        try world.require(done.value == 12, "\(done.value) of 12 were done when the threads had ended")
        do {
          _ = try loop.runInExecutor {}
          try world.require(false, "threads work after their end")
        } catch is EventLoopError {}
      }
      for future in futures { _ = try await future.get() }
    },
    Scenario(
      "shutdown", "The end of a run cancels every task and awaits it, and then its threads", faults: .mild
    ) { world in
      let loop = try getRunningLoop()
      let (running, works) = (Counter(), Counter())
      var left: [LoopTask<Void>] = []
      for number in 0..<6 {
        let task = try loop.createTask(name: "left \(number)") {
          running.add()
          defer { running.add(-1) }
          do { try await world.pause(around: .seconds(2)) } catch {
            // Some need a while to clear up, and some begin new work then.
            let cleaning = try loop.createTask { try await world.pause(around: .milliseconds(100)) }
            try await shield(cleaning)
            throw error
          }
          _ = try loop.runInExecutor { works.add() }
        }
        left.append(task)
      }
      try await world.pause(around: .seconds(1))
      world.sometimes("tasks are left at the end of a run", running.value > 0)
      await endTasks(of: loop)
      try world.require(left.allSatisfy(\.isDone) && running.value == 0, "a task has outlived its run")
      await loop.shutdownDefaultExecutor(timeout: .seconds(300))
      let before = works.value
      try await sleep(for: .seconds(60))
      try world.require(works.value == before, "a thread has outlived its run")
    },
  ]
}

private struct Failed: Error {
  let number: Int
}

private func work(_ world: SimulationWorld, _ number: Int, _ failed: Ledger<Int>) async throws {
  do { try await world.pause(around: .microseconds(500)) } catch  where world.random.chance(0.8) { throw error } catch {
    // A cancelled task may also fail.
    failed.entries.append(number)
    throw Failed(number: number)
  }
  if world.random.chance(0.15) {
    failed.entries.append(number)
    throw Failed(number: number)
  }
  // Awaits what cannot be cancelled, now and then.
  if world.random.chance(0.2) { await Task.detached { await Task.yield() }.value }
}

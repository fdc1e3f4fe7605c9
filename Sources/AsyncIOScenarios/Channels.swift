internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Values on their way to many, and how many may go; under cancellations by chance.
  static let channels: [Scenario] = [
    Scenario(
      "broadcast", "Each subscriber gets everything in order, or is told how much it has missed", faults: .none
    ) { world in
      let waits = world.random.chance(0.5)
      let news = try Broadcast<Int>(capacity: 1 + world.random.below(4), overflow: waits ? .wait : .dropOldest)
      let (sent, total) = (Counter(), 30)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 {
          group.addTask {
            try await world.pause(around: .milliseconds(1))
            let subscription = news.subscribe()
            // Perhaps something is being handed over that it does not get any more.
            let first = sent.value
            var (next, missed) = (nil as Int?, 0)
            while true {
              do {
                guard let number = try await world.briefly({ try await subscription.next() }) else { break }
                try world.require(
                  number == (next ?? number) + missed, "\(number), \(missed) missed since \(next ?? -1)")
                try world.require(number >= first, "\(number) was sent before")
                (next, missed) = (number + 1, 0)
              } catch let lag as BroadcastLagError {
                world.sometimes("a subscriber is too slow")
                try world.require(!waits, "something was lost")
                if next == nil { next = first }
                missed += lag.count
              } catch is TimeoutError { world.sometimes("a subscriber is cancelled") }
              if world.random.chance(0.05) { return subscription.cancel() }
              if world.random.chance(0.5) { try await world.pause(around: .microseconds(300)) }
            }
            try world.require(next == nil || (next ?? 0) + missed == total, "the end came after \(next ?? -1)")
          }
        }
        while sent.value < total {
          do {
            let number = sent.value
            try await world.briefly {
              try await news.send(number)
              sent.add()
            }
          } catch is TimeoutError { world.sometimes("a sender is cancelled") }
          if world.random.chance(0.5) { try await world.pause(around: .microseconds(200)) }
        }
        news.shutDown()
        try await group.waitForAll()
      }
      try world.require(news.subscriberCount == 0, "subscribers that nobody has are kept")
    },
    Scenario(
      "watch", "Who watches a value sees it change in order, and its last one in any case", faults: .none
    ) { world in
      let (level, total) = (WatchedValue(0), 20)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 {
          group.addTask {
            var values = level.makeAsyncIterator()
            var last = -1
            while true {
              do {
                let at = values
                let (value, after) = try await world.briefly {
                  var values = at
                  return (try await values.next(), values)
                }
                values = after
                guard let value else { break }
                try world.require(value > last, "\(value) after \(last)")
                world.sometimes("values are skipped", value > last + 1)
                last = value
              } catch is TimeoutError { world.sometimes("a watcher is cancelled") }
              if world.random.chance(0.5) { try await world.pause(around: .microseconds(300)) }
            }
            try world.require(last == total, "\(last) was the last that it saw")
          }
        }
        for number in 1...total {
          try await world.pause(around: .microseconds(200))
          level.value = number
        }
        level.shutDown()
        try await group.waitForAll()
      }
    },
    Scenario(
      "rate", "No more than the rate goes, none less than it, and in the order of asking", faults: .none
    ) { world in
      let loop = try getRunningLoop()
      let (tokens, burst) = (1 + world.random.below(20), 1 + world.random.below(5))
      let limit = try RateLimit(tokens: tokens, per: .seconds(1), burst: burst)
      let (began, taken, turns) = (loop.time(), Ledger<(time: EventLoopInstant, count: Int)>(), Ledger<Int>())
      // The first who asks is the first who gets, but for those that are cancelled.
      let asked = Counter()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            for _ in 0..<6 {
              let count = 1 + world.random.below(burst)
              if world.random.chance(0.2) {
                if try limit.tryAcquire(count) { taken.entries.append((loop.time(), count)) }
              } else {
                do {
                  try await withTimeout(world.random.chance(0.4) ? world.random.around(.seconds(1)) : .seconds(3600)) {
                    asked.add()
                    let number = asked.value
                    try await limit.acquire(count)
                    taken.entries.append((loop.time(), count))
                    turns.entries.append(number)
                  }
                } catch is TimeoutError { world.sometimes("a task that waits for tokens is cancelled") }
              }
              if world.random.chance(0.3) { try await world.pause(around: .seconds(1)) }
            }
          }
        }
        try await group.waitForAll()
      }
      try world.require(turns.entries == turns.entries.sorted(), "not in order: \(turns.entries)")
      var (available, last) = (Double(burst), began)
      for (time, count) in taken.entries {
        available = min(Double(burst), available + last.duration(to: time) / .seconds(1) * Double(tokens))
        try world.require(available >= Double(count) - 0.001, "\(count) tokens of \(available)")
        (available, last) = (available - Double(count), time)
      }
      // What was not taken is there: nothing went to those that were cancelled.
      let missing = (Double(burst) - available) / Double(tokens)
      try await sleep(for: .seconds(missing + 0.001) - last.duration(to: loop.time()))
      try world.require(try limit.tryAcquire(burst), "tokens were lost")
    },
  ]
}

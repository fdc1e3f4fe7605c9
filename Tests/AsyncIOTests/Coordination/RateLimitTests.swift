import Testing

@testable import AsyncIO
@testable import AsyncIOSimulation

/// Tokens that come at a steady rate.
@Suite(.timeLimit(.minutes(5)))
struct RateLimitTests {
  @Test("A burst is there at once, then tokens come one after another")
  func rate() async {
    let times = Recorder<Int>()
    let outcome = await playOne { world in
      let loop = try getRunningLoop()
      let (limit, start) = (try RateLimit(tokens: 10, per: .seconds(1), burst: 3), loop.time())
      for _ in 0..<6 {
        try await limit.acquire()
        times.record(Int(start.duration(to: loop.time()) / .milliseconds(1)))
      }
      try await sleep(for: .seconds(100))
      let later = loop.time()
      try await limit.acquire(3)
      times.record(Int(later.duration(to: loop.time()) / .milliseconds(1)))
      try await limit.acquire(2)
      times.record(Int(later.duration(to: loop.time()) / .milliseconds(1)))
    }
    if let failure = outcome.failure { Issue.record("\(failure)") }
    #expect(times.all == [0, 0, 0, 100, 200, 300, 0, 200])
  }

  @Test("Tokens go to tasks in the order in which they ask; one that is cancelled takes none")
  func order() async {
    let order = Recorder<Int>()
    let outcome = await playOne { world in
      let loop = try getRunningLoop()
      let (limit, start) = (try RateLimit(tokens: 1, per: .seconds(1), burst: 4), loop.time())
      try await limit.acquire(4)
      var tasks: [LoopTask<Void>] = []
      for (number, count) in [4, 1, 1, 1].enumerated() {
        tasks.append(
          try loop.createTask {
            try await limit.acquire(count)
            order.record(number)
          })
        // Here tasks begin in the order that the seed decides.
        try await sleep(for: .milliseconds(1))
      }
      try await sleep(for: .milliseconds(2500))
      try world.require(try !limit.tryAcquire(), "somebody waits, and was overtaken")
      // Two tokens have come for it, and are there for the next ones.
      tasks[0].cancel()
      tasks[2].cancel()
      try await tasks[3].get()
      let time = start.duration(to: loop.time())
      try world.require(time >= .milliseconds(2500) && time < .milliseconds(2600), "the tokens were lost: \(time)")
      try world.require(tasks[0].isCancelled && tasks[2].isCancelled, "they were cancelled")
      try world.require(try !limit.tryAcquire(), "half a token")
      try await sleep(for: .milliseconds(500))
      try world.require(try limit.tryAcquire(), "the third token")
    }
    if let failure = outcome.failure { Issue.record("\(failure)") }
    #expect(order.all == [1, 3])
  }

  @Test("On each loop it lets the burst pass and then waits", arguments: LoopKind.allCases)
  func loops(kind: LoopKind) async throws {
    try await kind.run { loop in
      let limit = try RateLimit(tokens: 1, per: .milliseconds(2), burst: 2)
      let start = loop.time()
      for _ in 0..<5 { try await limit.acquire() }
      #expect(start.duration(to: loop.time()) >= .milliseconds(6))
      try await limit.acquire(0)
    }
  }

  @Test("Numbers that have no meaning are refused, and none ends the process", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.run { _ in
      for (tokens, period, burst) in [
        (0, Duration.seconds(1), nil as Int?), (.min, .seconds(1), 1), (1, .zero, 1), (1, .seconds(-1), 1),
        (1, .seconds(1), 0), (1, .seconds(1), .min),
      ] {
        expectRefusal(.invalidArgument) { try RateLimit(tokens: tokens, per: period, burst: burst) }
      }
      let limit = try RateLimit(tokens: 3, per: .seconds(1))
      for count in [-1, 4, .min, .max] {
        expectRefusal(.invalidArgument) { try limit.tryAcquire(count) }
        let error = try await failure(EventLoopError.self) { try await limit.acquire(count) }
        #expect(error.code == .invalidArgument)
      }
    }
    let limit = try RateLimit(tokens: 3, per: .seconds(1))
    expectRefusal(.noRunningLoop) { try limit.tryAcquire() }
  }

  @Test("Nothing is lost by asking often, and no number wraps")
  func bucket() throws {
    // Three in seven nanoseconds: no whole number of nanoseconds brings one.
    var bucket = TokenBucket(tokens: 3, period: 7, burst: 1)
    var taken = 0
    for time in 0..<700 {
      if bucket.take(1, at: EventLoopInstant(nanoseconds: Int64(time))) == nil { taken += 1 }
    }
    #expect(taken == 234)  // where it is asked each nanosecond, a full bucket waits up to one
    for tokens in [1, 7, Int.max] {
      for period in [1, 7, Int64.max] {
        for burst in [1, 7, Int.max] {
          var bucket = TokenBucket(tokens: tokens, period: period, burst: burst)
          for now in [Int64.min, 0, 1, .max, 0, .max] {
            for count in [0, 1, burst] {
              let now = EventLoopInstant(nanoseconds: now)
              if let ready = bucket.take(count, at: now) { #expect(ready > now || ready == .distantFuture) }
            }
          }
        }
      }
    }
  }
}

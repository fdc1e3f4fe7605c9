internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Tasks in company that is lost, shielded, late, or tried again.
  static let composition: [Scenario] = [
    Scenario(
      "race", "The first to finish wins a race, and the others have ended when it does", faults: .none
    ) { world in
      for _ in 0..<5 {
        let pauses = (0..<3).map { _ in world.random.around(.milliseconds(1)) }
        let limit = world.random.chance(0.3) ? world.random.around(.milliseconds(1)) : .seconds(60)
        let (running, fails) = (Counter(), (0..<3).map { _ in world.random.chance(0.2) })
        @Sendable func run(_ number: Int) async throws -> Int {
          running.add()
          defer { running.add(-1) }
          do { try await sleep(for: pauses[number]) } catch {
            // A loser may have something to clear up.
            try await withCancellationShield(atMost: .seconds(1)) { try await world.pause(around: .microseconds(50)) }
            throw error
          }
          if fails[number] { throw Loss(number: number) }
          return number
        }
        var winner: Int?
        do {
          try await withTimeout(limit) {
            do {
              winner =
                switch try await race({ try await run(0) }, { "\(try await run(1))" }, { [try await run(2)] }) {
                case .first(let number): number
                case .second(let text): Int(text)
                case .third(let numbers): numbers[0]
                }
            } catch let loss as Loss { winner = loss.number }
          }
        } catch is TimeoutError { world.sometimes("a race is cancelled") }
        try world.require(running.value == 0, "a race has ended before its bodies")
        let least = pauses.min() ?? .zero
        if let winner {
          try world.require(pauses[winner] < least + .microseconds(20), "\(winner) has won with \(pauses)")
          world.sometimes("the winner fails", fails[winner])
        } else {
          try world.require(limit < least + .microseconds(20), "nobody has won within \(limit), with \(pauses)")
        }
      }
    },
    Scenario(
      "shield", "A clean-up with a shield runs to its end or to its limit, and the caller stays cancelled",
      faults: .none
    ) { world in
      for _ in 0..<6 {
        let (work, limit, life) = (
          world.random.around(.milliseconds(1)), world.random.around(.milliseconds(2)),
          world.random.around(.milliseconds(1))
        )
        guard limit > .zero else { continue }
        let hasBegun = Event()
        let task = try getRunningLoop().createTask {
          hasBegun.set()
          let began = world.now
          do {
            try await withCancellationShield(atMost: limit) {
              // Of several calls each is one at which an ordinary body would end.
              for _ in 0..<4 { try await sleep(for: work / 4) }
            }
            try world.require(world.now - began >= work / 4 * 4, "it was cut off")
          } catch is TimeoutError {
            try world.require(world.now - began >= limit && work / 4 * 4 + .microseconds(20) > limit, "too early")
            world.sometimes("a clean-up takes too long")
          } catch is CancellationError { try world.require(false, "the cancellation has got in") }
          return Task.isCancelled
        }
        try await hasBegun.wait()
        let began = world.now
        try await sleep(for: life)
        task.cancel()
        let isCancelled = try await task.get()
        let wasCancelled = min(work, limit) > life + .microseconds(20)
        try world.require(isCancelled || !wasCancelled, "the caller does not know of its cancellation")
        world.sometimes("a clean-up is let to its end", wasCancelled && work < limit)
        try world.require(world.now - began < max(life, min(work, limit)) + .microseconds(100), "it took too long")
      }
    },
    Scenario(
      "interval", "The times of an interval are of one plan, none early, none given twice", faults: .none
    ) { world in
      let loop = try getRunningLoop()
      for missed in [MissedTicks.skip, .catchUp, .delay] {
        let period = Duration.milliseconds(1 + world.random.below(20))
        var times: [EventLoopInstant] = []
        var (begun, ended) = ([EventLoopInstant](), loop.time())
        let start = loop.time()
        for try await time in try interval(every: period, from: start, missed: missed) {
          try world.require(loop.time() >= time, "\(time) came early")
          let wasLate = ended > time
          if let last = times.last {
            let step = last.duration(to: time)
            switch missed {
            case .catchUp: try world.require(step == period, "a time was left out")
            case .skip:
              let whole = start.duration(to: time)
              try world.require(
                step >= period && Int64(whole / .nanoseconds(1)) % Int64(period / .nanoseconds(1)) == 0, "off the plan")
            case .delay: try world.require(step >= period, "too close")
            }
            world.sometimes("a time is late", wasLate)
            world.sometimes("times are left out", missed == .skip && step > period)
          }
          times.append(time)
          begun.append(loop.time())
          if times.count == 12 { break }
          try await sleep(for: world.random.around(period / 2))
          ended = loop.time()
        }
      }
    },
    Scenario(
      "retry", "What fails is tried again, no more often than allowed, with pauses that keep their limits",
      faults: .none
    ) { world in
      for _ in 0..<4 {
        let (allowed, failures) = (1 + world.random.below(6), world.random.below(8))
        let (first, limit) = (world.random.around(.milliseconds(10)), world.random.around(.milliseconds(30)))
        let attempts = Counter()
        var last: Duration?
        do {
          try await withTimeout(world.random.chance(0.3) ? .milliseconds(20) : .seconds(60)) {
            try await retry(
              attempts: allowed, backoff: .exponential(from: first, atMost: limit),
              jitter: { world.random.fraction() }
            ) { attempt in
              attempts.add()
              try world.require(attempt == attempts.value, "the number of the attempt")
              if let last { try world.require(world.now - last <= limit + .microseconds(100), "a long pause") }
              if world.random.chance(0.5) { try await world.pause(around: .milliseconds(1)) }
              last = world.now
              if attempt <= failures { throw Loss(number: attempt) }
            }
          }
          try world.require(attempts.value == failures + 1, "\(attempts.value) attempts")
        } catch let loss as Loss {
          try world.require(loss.number == allowed && attempts.value == allowed, "\(loss) of \(allowed)")
          world.sometimes("it gives up")
        } catch is TimeoutError { world.sometimes("the attempts are cancelled") }
      }
    },
  ]
}

private struct Loss: Error { let number: Int }

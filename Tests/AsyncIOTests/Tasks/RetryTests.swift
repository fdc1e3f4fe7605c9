import Testing

@testable import AsyncIO
@testable import AsyncIOSimulation

/// Attempts, and the pauses between them.
@Suite(.timeLimit(.minutes(5)))
struct RetryTests {
  private struct Failed: Error, Equatable { var attempt: Int }

  @Test("It tries until it succeeds, or throws the last error", arguments: LoopKind.allCases)
  func attempts(kind: LoopKind) async throws {
    try await kind.run { _ in
      let backoff = Backoff.exponential(from: .microseconds(1), atMost: .milliseconds(1))
      var numbers: [Int] = []
      let value = try await retry(attempts: 5, backoff: backoff) { attempt in
        numbers.append(attempt)
        if attempt < 3 { throw Failed(attempt: attempt) }
        return attempt
      }
      #expect(value == 3 && numbers == [1, 2, 3])
      await #expect(throws: Failed(attempt: 4)) {
        try await retry(attempts: 4, backoff: backoff) { throw Failed(attempt: $0) }
      }
      await #expect(throws: Failed(attempt: 2)) {
        try await retry(attempts: .max, backoff: backoff, while: { ($0 as? Failed)?.attempt == 1 }) {
          throw Failed(attempt: $0)
        }
      }
      for attempts in [0, -1, Int.min] {
        let error = try await failure(EventLoopError.self) { try await retry(attempts: attempts) { _ in } }
        #expect(error.code == .invalidArgument)
      }
    }
    let error = try await failure(EventLoopError.self) {
      try await retry(attempts: 1) { _ in _ = Issue.record("there is no loop") }
    }
    #expect(error.code == .noRunningLoop)
  }

  @Test("Pauses double up to their limit, and chance takes a part of each")
  func pauses() async {
    let times = Recorder<Int>()
    let outcome = await playOne { world in
      for part in [1, 0.5, 7, .nan, -3, 0] {
        var last = try getRunningLoop().time()
        try? await retry(
          attempts: 6, backoff: .exponential(from: .seconds(1), atMost: .seconds(5)), jitter: { part }
        ) { attempt in
          let now = try getRunningLoop().time()
          if attempt > 1 { times.record(Int(last.duration(to: now) / .milliseconds(1))) }
          last = now
          throw Failed(attempt: attempt)
        }
      }
    }
    if let failure = outcome.failure { Issue.record("\(failure)") }
    let whole = [1000, 2000, 4000, 5000, 5000]
    let none = [0, 0, 0, 0, 0]
    #expect(times.all == whole + whole.map { $0 / 2 } + whole + whole + none + none)
  }

  @Test("A pause is between nothing and its limit, for all numbers")
  func extremes() {
    let durations = [
      Duration.seconds(Int64.min), .seconds(-1), .zero, .nanoseconds(1), .seconds(1), .seconds(Int64.max),
    ]
    for first in durations {
      for limit in durations {
        for count in [1, 2, 127, 128, 1_000_000, .max] {
          let pause = Backoff.exponential(from: first, atMost: limit).pause(afterFailures: count)
          #expect(pause >= .zero && (pause <= limit || pause == .zero))
          if first > .zero, limit > .zero { #expect(pause >= min(first, limit)) }
          if first > .zero, count > 128 { #expect(pause == max(limit, .zero)) }
        }
      }
    }
  }

  @Test("A cancellation is not retried, whatever error it comes as", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (attempts, hasBegun) = (Counter(), Event())
      let hidden = try loop.createTask {
        try await retry(attempts: 9, jitter: { 0 }) { attempt in
          attempts.add(1)
          hasBegun.set()
          do { try await sleep(for: .seconds(3600)) } catch { throw Failed(attempt: attempt) }
        }
      }
      try await hasBegun.wait()
      hidden.cancel()
      await #expect(throws: Failed(attempt: 1)) { try await hidden.get() }
      await #expect(throws: CancellationError.self) {
        try await retry(attempts: 9) { _ in
          attempts.add(1)
          throw CancellationError()
        }
      }
      await #expect(throws: KeyboardInterrupt()) {
        try await retry(attempts: 9) { _ in
          attempts.add(1)
          throw KeyboardInterrupt()
        }
      }
      #expect(attempts.value == 3)
      let hasFailed = Event()
      let pausing = try loop.createTask {
        let hour = Backoff.exponential(from: .seconds(3600), atMost: .seconds(3600))
        try await retry(attempts: 9, backoff: hour, jitter: { 1 }) { attempt in
          hasFailed.set()
          throw Failed(attempt: attempt)
        }
      }
      try await hasFailed.wait()
      pausing.cancel()
      await #expect(throws: CancellationError.self) { try await pausing.get() }
    }
  }
}

import Testing

@testable import AsyncIO

/// `sleep`: exact ends, cancellation without a trace.
@Suite struct SleepTests {
  @Test("A sleep ends after its time, not before", arguments: LoopKind.allCases)
  func ends(kind: LoopKind) async throws {
    let slept = try await kind.run { loop in
      var slept: [Duration] = []
      for duration in [Duration.microseconds(300), .milliseconds(2)] {
        let start = loop.time()
        try await sleep(for: duration)
        slept.append(start.duration(to: loop.time()))
      }
      let start = loop.time()
      try await sleep(until: start.advanced(by: .milliseconds(1)))
      slept.append(start.duration(to: loop.time()))
      return slept
    }
    #expect(slept[0] >= .microseconds(300) && slept[1] >= .milliseconds(2) && slept[2] >= .milliseconds(1))
  }

  @Test("A cancelled sleep ends at once and leaves no timer", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let task = try loop.createTask { try await sleep(for: .seconds(3600)) }
      try await sleep(for: .zero)
      #expect(loop.scheduledTimerCount == 1)
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("A cancel from another thread also ends a sleep at once", arguments: LoopKind.allCases)
  func cancelledFromElsewhere(kind: LoopKind) async throws {
    try await kind.run { loop in
      let asleep = Gate()
      let task = try loop.createTask {
        try loop.callSoon { asleep.open() }
        try await sleep(for: .seconds(3600))
      }
      let canceller = TestThread {
        asleep.wait()
        task.cancel()
      }
      await #expect(throws: CancellationError.self) { try await task.get() }
      canceller.join()
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("A task that is cancelled already does not sleep", arguments: LoopKind.allCases)
  func cancelledBefore(kind: LoopKind) async throws {
    try await kind.run { loop in
      let task = try loop.createTask {
        while !Task.isCancelled { await Task.yield() }
        try await sleep(for: .seconds(3600))
      }
      try await sleep(for: .zero)
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Cancels that race with the end of the sleep resume it once", arguments: LoopKind.allCases)
  func racing(kind: LoopKind) async throws {
    try await kind.run { loop in
      var random = SplitMix(seed: 7)
      for _ in 0..<300 {
        let pause = Int64.random(in: 0..<60, using: &random)
        let task = try loop.createTask { try await sleep(for: .microseconds(pause)) }
        let canceller = TestThread { task.cancel() }
        _ = try? await task.get()
        canceller.join()
      }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("41: NaN is refused, and endless sleeps can be cancelled", arguments: LoopKind.allCases)
  func notANumber(kind: LoopKind) async throws {
    try await kind.run { loop in
      let refusal = await #expect(throws: EventLoopError.self) { try await sleep(seconds: .nan) }
      #expect(refusal?.code == .invalidArgument)
      let task = try loop.createTask { try await sleep(seconds: .infinity) }
      try await sleep(for: .zero)
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Outside of a loop's thread sleep is refused")
  func noLoop() async throws {
    let refusal = await #expect(throws: EventLoopError.self) { try await sleep(for: .zero) }
    #expect(refusal?.code == .noRunningLoop)
    await #expect(throws: EventLoopError.self) { try await withTimeout(.seconds(1)) {} }
  }
}

import Testing

@testable import AsyncIO

/// What is left of lines 52 and 53 of the conformance list: an end that races, and wake-ups, counted.
@Suite struct ThreadSafeCallTests {
  @Test("D52: a timer may be cancelled while its loop closes and goes away", arguments: LoopKind.allCases)
  func cancelRacingWithTheEnd(kind: LoopKind) async throws {
    try await inThread {
      for _ in 0..<100 {
        var timers: [TimerHandle] = []
        let ready = Gate()
        let canceller: TestThread
        do {
          let loop = try kind.makeLoop()
          timers = try (0..<20).map { try loop.callLater(.seconds($0)) {} }
          canceller = TestThread { [timers] in
            ready.open()
            for timer in timers { timer.cancel() }
          }
          ready.wait()
          try loop.close()
        }
        canceller.join()
        for timer in timers { timer.cancel() }
      }
    }
  }

  @Test("D53: more wake-ups than a pipe holds neither block nor get lost", arguments: LoopKind.allCases)
  func manyWakes(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      for _ in 0..<200_000 { loop.backend.wake() }
      let ran = Recorder<Int>()
      try loop.callLater(.milliseconds(5)) {
        ran.record(1)
        loop.stop()
      }
      try loop.runForever()
      #expect(ran.all == [1])
      #expect(loop.turnCount <= 4, "the wake-ups end one wait, not every wait")
    }
  }
}

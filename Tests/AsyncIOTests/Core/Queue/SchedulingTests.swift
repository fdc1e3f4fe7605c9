import Testing

@testable import AsyncIO

/// How many turns a loop makes while it waits: line 45 of the conformance list, counted.
@Suite struct SchedulingTests {
  @Test("C45: ten tiny sleeps take a bounded number of turns", arguments: LoopKind.allCases)
  func tinySleeps(kind: LoopKind) async throws {
    let turns = try await kind.run { loop in
      let before = loop.turnCount
      for _ in 0..<10 { try await sleep(for: .microseconds(50)) }
      return loop.turnCount - before
    }
    #expect((10...30).contains(turns), "\(turns) turns: the loop spins instead of waiting")
  }

  @Test("C45: an idle loop makes no turns", arguments: LoopKind.allCases)
  func idle(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let turns = Recorder<UInt64>()
      try loop.callSoon {
        turns.record(loop.turnCount)
        try loop.callLater(.milliseconds(200)) {
          turns.record(loop.turnCount)
          loop.stop()
        }
      }
      try loop.runForever()
      #expect(turns.all[1] - turns.all[0] <= 2)
    }
  }
}

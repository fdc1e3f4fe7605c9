import Testing

@testable import AsyncIO

@Suite struct LeakTests {
  @Test("B31: loops made, run and closed leave nothing that is counted", arguments: LoopKind.allCases)
  func manyLoops(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      // The first use of a thing makes what the process keeps for ever.
      try await kind.run { _ in try await sleep(for: .zero) }
      try await expectNoLeaks {
        try await inThread {
          for _ in 0..<500 {
            let loop = try kind.makeLoop()
            let turns = Recorder<Int>()
            try loop.callSoon {
              turns.record(1)
              loop.stop()
            }
            try loop.runForever()
            precondition(turns.all.count == 1)
            try loop.close()
          }
        }
      }
    }
  }
}

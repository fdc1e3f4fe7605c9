import CAsyncIO
import Logging
import Testing

@testable import AsyncIO

/// What a close leaves: lines 26, 27 and 30 of the conformance list.
@Suite struct ClosedLoopTests {
  @Test(
    "B27: a stop that a closed loop cannot take leaves nothing behind",
    .enabled(if: !isAddressSanitized, "the sanitizer keeps freed memory, so resident memory says nothing"))
  func refusedStop() async {
    await #expect(processExitsWith: .success) {
      let loop = try SelectorEventLoop()
      try loop.close()
      loop.stop()
      let before = residentBytes()
      for _ in 0..<100_000 { loop.stop() }
      #expect(residentBytes() - before < 2_000_000)
    }
  }

  @Test("B30: a loop dropped without close says so and closes its descriptors", arguments: LoopKind.allCases)
  func dropped(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await expectNoLeaks {
        let log: CapturedLog
        do {
          let loop = try kind.makeLoop()
          log = CapturedLog(of: loop)
          try loop.callSoon {}
        }
        #expect(log.entries.map(\.level) == [.warning])
        #expect(log.messages.first?.contains("without close()") == true)
      }
    }
  }

  @Test("B30: a loop that was closed goes silently", arguments: LoopKind.allCases)
  func closedGoesSilently(kind: LoopKind) throws {
    let log: CapturedLog
    do {
      let loop = try kind.makeLoop()
      log = CapturedLog(of: loop)
      try loop.close()
    }
    #expect(log.entries.isEmpty)
  }

  @Test("B30: a handle may be cancelled when its loop is gone", arguments: LoopKind.allCases)
  func handlesOutliveTheLoop(kind: LoopKind) async throws {
    let handles: [Handle]
    do {
      let loop = try kind.makeLoop()
      handles = [try loop.callSoon {}, try loop.callLater(.seconds(60)) {}, try loop.callSoonThreadsafe {}]
      try loop.close()
    }
    for handle in handles { handle.cancel() }
    #expect(!handles.contains { $0.isCancelled }, "the close was first")
  }
}

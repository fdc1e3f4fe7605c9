import CAsyncIO
import Logging
import Testing

@testable import AsyncIO

/// What debug mode logs: lines 178 and 179 of the conformance list.
@Suite struct ReportTests {

  /// The messages of the slow-callback log for a callback and for a job that block for some time.
  private func slow(on loop: BaseEventLoop, _ milliseconds: Int) throws -> [String] {
    let log = CapturedLog(of: loop)
    func block() {
      let end = loop.time().advanced(by: .milliseconds(milliseconds))
      while loop.time() < end {}
    }
    try loop.callSoon { block() }
    try loop.callSoon { try loop.callSoon { loop.stop() } }
    try loop.runForever()
    try loop.run { block() }
    return log.messages
  }

  @Test("178: in debug mode callbacks and jobs at or above the limit are logged", arguments: LoopKind.allCases)
  func slowCallbacks(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      #expect(loop.slowCallbackDuration == .milliseconds(100))
      loop.slowCallbackDuration = .milliseconds(5)
      #expect(try slow(on: loop, 6).isEmpty, "not without debug mode")
      loop.isDebug = true
      let messages = try slow(on: loop, 5)
      #expect(messages.contains { $0.contains("the callback made at") && $0.contains("ReportTests.swift") })
      #expect(messages.contains { $0.contains("a job") })
      loop.slowCallbackDuration = .seconds(3600)
      #expect(try slow(on: loop, 1).isEmpty)
    }
  }

  @Test("179: debug mode can be changed while the loop runs, even from another thread", arguments: LoopKind.allCases)
  func debugLive(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let log = CapturedLog(of: loop)
      loop.slowCallbackDuration = .zero
      let counts = Recorder<Int>()
      // Not those of a step that has not ended: a thread that is slow to come back is one.
      @Sendable func logged() -> Int { log.messages.filter { $0.contains(" took ") }.count }
      try loop.callSoon {
        TestThread { loop.isDebug = true }.join()
        try loop.callSoon {
          try loop.callSoon {
            counts.record(logged())
            loop.isDebug = false
            try loop.callSoon {
              counts.record(logged())
              try loop.callSoon {
                counts.record(logged())
                loop.stop()
              }
            }
          }
        }
      }
      try loop.runForever()
      #expect(counts.all[0] >= 1)
      #expect(counts.all[1] == counts.all[0] + 1, "the callback that changed it was timed to its end")
      #expect(counts.all[2] == counts.all[1], "and none after it")
    }
  }
}

import Testing

@testable import AsyncIO

/// What a callback sees of the code that scheduled it: line 46 of the conformance list.
@Suite struct CallbackContextTests {
  struct Failure: Error {}

  /// Schedule by every way there is, with the values of now, and run what was scheduled.
  private func seen(
    on loop: BaseEventLoop, _ context: CallbackContext, _ look: @escaping @Sendable () -> String
  ) throws -> [String] {
    let seen = Recorder<String>()
    try Marker.$value.withValue("scheduling") {
      try loop.callSoon(context: context) { seen.record(look()) }
      try loop.callSoonThreadsafe(context: context) { seen.record(look()) }
      try loop.callLater(.zero, context: context) { seen.record(look()) }
      try loop.callAt(loop.time(), context: context) {
        seen.record(look())
        loop.stop()
      }
    }
    try Marker.$value.withValue("running") { try loop.runForever() }
    return seen.all
  }

  @Test("C46: with .taskLocals a callback sees the values at scheduling", arguments: LoopKind.allCases)
  func taskLocals(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let values = try seen(on: loop, .taskLocals) { Marker.value }
      #expect(values == Array(repeating: "scheduling", count: 4))
    }
  }

  @Test(
    "C46: errors of such callbacks are reported like others, interrupts leave the run",
    arguments: LoopKind.allCases)
  func errors(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      try loop.callSoon(context: .taskLocals) { throw Failure() }
      try loop.callSoon(context: .taskLocals) { throw KeyboardInterrupt() }
      #expect(throws: KeyboardInterrupt()) { try loop.runForever() }
      #expect(reports.all.count == 1 && reports.all[0].exception is Failure)
    }
  }

  @Test("C46: a cancelled callback with task-locals leaves nothing behind", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      weak var captured: Canary?
      weak var local: Canary?
      do {
        let one = Canary()
        let two = Canary()
        captured = one
        local = two
        try Held.$canary.withValue(two) {
          try loop.callSoon(context: .taskLocals) { Issue.record("cancelled, and ran: \(one)") }.cancel()
          try loop.callLater(.zero, context: .taskLocals) { Issue.record("cancelled, and ran: \(one)") }.cancel()
        }
      }
      #expect(captured == nil)
      try loop.callLater(.milliseconds(1)) { loop.stop() }
      try loop.runForever()
      #expect(local == nil)
    }
  }

  @Test("C46: the scoped policy reaches callbacks by every way", arguments: LoopKind.allCases)
  func scopedPolicy(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let policy = RecordingPolicy()
      let pair = try SocketPair()
      let seen = Recorder<Bool>()
      @Sendable func look() { seen.record(getEventLoopPolicy() as? RecordingPolicy === policy) }
      try withEventLoopPolicy(policy) {
        try loop.callSoon { look() }
        try loop.callSoonThreadsafe { look() }
        try loop.callLater(.zero) { look() }
        try loop.callSoon(context: .taskLocals) { look() }
        try loop.addReader(pair.a) {
          look()
          try loop.callSoon {
            look()
            loop.stop()
          }
        }
      }
      try loop.callSoon { seen.record(!(getEventLoopPolicy() is RecordingPolicy)) }
      pair.write(1, to: pair.b)
      try loop.runForever()
      #expect(seen.all.count >= 7 && !seen.all.contains(false))
      #expect(!(getEventLoopPolicy() is RecordingPolicy))
    }
  }
}

private enum Held {
  @TaskLocal static var canary: Canary?
}

import CAsyncIO
import Logging
import Testing

@testable import AsyncIO

/// What a close leaves: lines 26, 27 and 30 of the conformance list.
@Suite struct ClosedLoopTests {
  @Test("B26: a closed loop refuses to schedule, to register and to run", arguments: LoopKind.allCases)
  func refusals(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let future = loop.createFuture(of: Int.self)
      try loop.close()
      expectRefusal(.closed) { try loop.callSoon {} }
      expectRefusal(.closed) { try loop.callSoonThreadsafe {} }
      expectRefusal(.closed) { try loop.callLater(.zero) {} }
      expectRefusal(.closed) { try loop.callAt(loop.time()) {} }
      expectRefusal(.closed) { try loop.createTask {} }
      expectRefusal(.closed) { try loop.runForever() }
      expectRefusal(.closed) { try loop.runUntilComplete(future) }
      expectRefusal(.closed) { try loop.run {} }
      expectRefusal(.closed) { try loop.runInExecutor { 1 } }
      expectRefusal(.closed) { try loop.addReader(pair.a) {} }
      expectRefusal(.closed) { try loop.addWriter(pair.a) {} }
    }
  }

  @Test("B26: on a closed loop removals answer false and the rest goes on working", arguments: LoopKind.allCases)
  func whatWorks(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      try loop.addReader(pair.a) {}
      try loop.close()
      #expect(try !loop.removeReader(pair.a))
      #expect(try !loop.removeWriter(pair.a))
      let before = loop.time()
      #expect(before <= loop.time())
      loop.stop()
      #expect(!loop.isRunning && loop.isClosed)
      let future = loop.createFuture(of: Int.self)
      try future.setResult(1)
      #expect(try future.result() == 1)
      let reports = Recorder<String>()
      loop.exceptionHandler = { _, context in reports.record(context.message) }
      loop.callExceptionHandler(ExceptionContext(message: "still heard"))
      #expect(reports.all == ["still heard"])
    }
  }

  @Test("B27: close drops what is pending and releases what it captured", arguments: LoopKind.allCases)
  func capturesAreReleased(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let ran = Recorder<String>()
      weak var canary: Canary?
      do {
        let captured = Canary()
        canary = captured
        try loop.callSoon { [captured] in
          loop.stop()
          try loop.callSoon { ran.record("soon \(captured)") }
          try loop.callLater(.seconds(3600)) { ran.record("timer \(captured)") }
          try loop.addReader(pair.a) { ran.record("reader \(captured)") }
        }
        try loop.callLater(.seconds(3600)) { ran.record("early timer \(captured)") }
        try loop.runForever()
        // These wait in the inbox of a loop that nobody runs.
        try loop.callSoonThreadsafe { ran.record("threadsafe \(captured)") }
        try loop.callAt(loop.time()) { ran.record("posted timer \(captured)") }
      }
      #expect(canary != nil)
      pair.write(1, to: pair.b)
      try loop.close()
      #expect(canary == nil)
      #expect(ran.all.isEmpty)
    }
  }

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

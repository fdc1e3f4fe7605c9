import CAsyncIO
import Logging
import Testing

@testable import AsyncIO

/// Errors that no caller can be given, and debug mode: lines 176 to 179 of the conformance list.
@Suite struct ReportTests {
  struct Failure: Error, Equatable, CustomStringConvertible { var description: String { "a failure" } }
  struct HandlerFailure: Error, CustomStringConvertible { var description: String { "the handler failed" } }

  private func throwOnce(on loop: BaseEventLoop) throws {
    try loop.callSoon { throw Failure() }
    try loop.callSoon { try loop.callSoon { loop.stop() } }
    try loop.runForever()
  }

  @Test("176: without a handler an error is logged", arguments: LoopKind.allCases)
  func defaultHandler(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let log = CapturedLog(of: loop)
      try throwOnce(on: loop)
      #expect(log.entries.map(\.level) == [.error])
      #expect(log.messages[0].contains("exception in a callback"))
      #expect(log.messages[0].contains("a failure"))
    }
  }

  @Test("176: a handler gets the loop and the context, and nothing is logged", arguments: LoopKind.allCases)
  func handler(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let log = CapturedLog(of: loop)
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { [unowned loop] reporting, context in
        #expect(reporting === loop)
        reports.record(context)
      }
      try throwOnce(on: loop)
      #expect(reports.all.count == 1)
      #expect(reports.all[0].exception as? Failure == Failure())
      #expect(log.entries.isEmpty)
      loop.exceptionHandler = nil
      try throwOnce(on: loop)
      #expect(reports.all.count == 1 && log.entries.count == 1)
    }
  }

  @Test("176: a handler that throws makes the default one report both errors", arguments: LoopKind.allCases)
  func throwingHandler(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let log = CapturedLog(of: loop)
      loop.exceptionHandler = { _, _ in throw HandlerFailure() }
      try throwOnce(on: loop)
      #expect(log.entries.map(\.level) == [.error])
      for part in ["unhandled error in the exception handler", "the handler failed", "while handling", "a failure"] {
        #expect(log.messages[0].contains(part))
      }
    }
  }

  @Test("177: a callback's report names its handle, and in debug mode where it was made", arguments: LoopKind.allCases)
  func contextOfCallback(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      try throwOnce(on: loop)
      loop.isDebug = true
      let line: UInt = #line + 1
      let timer = try loop.callLater(.zero) { throw Failure() }
      try loop.callLater(.milliseconds(1)) { loop.stop() }
      try loop.runForever()
      #expect(reports.all.map(\.message) == Array(repeating: "exception in a callback", count: 2))
      #expect(reports.all[0].handle != nil && reports.all[0].source == nil)
      #expect(reports.all[1].handle === timer)
      #expect(reports.all[1].source?.line == line)
    }
  }

  @Test("177: a future's report names the future", arguments: LoopKind.allCases)
  func contextOfFuture(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      do {
        let future = loop.createFuture(of: Int.self)
        try future.setException(Failure())
      }
      #expect(reports.all.count == 1)
      #expect(reports.all[0].exception as? Failure == Failure())
      #expect(reports.all[0].future?.contains("Future<Int>") == true)
      #expect(reports.all[0].handle == nil)
    }
  }

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

  @Test("179: debug mode can be changed while the loop runs, from another thread, too", arguments: LoopKind.allCases)
  func debugLive(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let log = CapturedLog(of: loop)
      loop.slowCallbackDuration = .zero
      let counts = Recorder<Int>()
      try loop.callSoon {
        TestThread { loop.isDebug = true }.join()
        try loop.callSoon {
          try loop.callSoon {
            counts.record(log.entries.count)
            loop.isDebug = false
            try loop.callSoon {
              counts.record(log.entries.count)
              try loop.callSoon {
                counts.record(log.entries.count)
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

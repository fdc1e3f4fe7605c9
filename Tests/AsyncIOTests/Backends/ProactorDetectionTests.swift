import Testing

@testable import AsyncIO

/// What a program meets where io_uring is denied: a clear refusal, or a loop that works all the same.
@Suite(.timeLimit(.minutes(5)))
struct ProactorDetectionTests {
  /// Skipped exactly where the tests of the proactor are; the reason stands in the report of the run.
  @Test(
    "The tests of the proactor run on this machine",
    .enabled(if: LoopKind.hasProactor, Comment(rawValue: ProactorDetection.current.description)))
  func isTested() {
    #expect(LoopKind.allCases.contains(.proactor))
    #expect(ProactorDetection.current.description.hasPrefix("io_uring works ("))
    #expect(ProactorDetection.current.advice.isEmpty && ProactorDetection.current.cause == nil)
  }

  @Test("A machine without it is tested without it")
  func isLeftOut() {
    #expect(LoopKind.allCases.contains(.proactor) == ProactorDetection.current.isAvailable)
    let denied = ProactorDetection(allowed: false)
    #expect(!denied.isAvailable && denied.failedStep == .environment && denied.cause == nil)
    #expect(denied.description.contains("ASYNCIO_IO_URING said no. Unset ASYNCIO_IO_URING"))
    #expect(denied.featureNames.isEmpty)
  }

  #if os(Linux)
    @Test("ASYNCIO_IO_URING=0: the class refuses; policies give a loop that works, and say so once")
    func deniedByVariable() async throws {
      let program = try await HelperProgram.run(
        "proactor-denied", ["ASYNCIO_IO_URING": "0", "ASYNCIO_EVENT_LOOP": "proactor"])
      for refusal in ["refusal", "refusal by name"] {
        #expect(program[refusal] == "notOffered")
        let text = try #require(program["\(refusal) text"])
        #expect(text.hasPrefix("ProactorEventLoop: ") && text.contains("Unset ASYNCIO_IO_URING"), "\(text)")
      }
      #expect(program["by policy"] == "SelectorEventLoop: works")
      #expect(program["by variable"] == "SelectorEventLoop: works")
      #expect(program["log lines"] == "1")
      let line = try #require(program["log line"])
      #expect(line.hasPrefix("warning: ProactorEventLoopPolicy: io_uring is not available"), "\(line)")
      #expect(line.hasSuffix("Selector loops are made instead."), "\(line)")
    }
  #endif
}

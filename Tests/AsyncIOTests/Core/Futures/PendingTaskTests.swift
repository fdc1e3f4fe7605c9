import AsyncIO
import Testing

/// Tasks that are pending when their loop is closed: line 165 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct PendingTaskTests {
  /// What the loop reports from here on.
  private func reports(of loop: BaseEventLoop) -> Recorder<ExceptionContext> {
    let reports = Recorder<ExceptionContext>()
    loop.exceptionHandler = { _, context in reports.record(context) }
    return reports
  }

  @Test("165: each pending task is reported once, by name, in the order of their making", arguments: LoopKind.allCases)
  func reported(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let reports = reports(of: loop)
    let pending: Future<Void> = loop.createFuture()
    let names = (0..<20).map { "pending \($0)" }
    try await loop.run {
      for name in names { try loop.createTask(name: name) { try await pending.get() } }
      try await sleep(for: .zero)
    }
    try loop.createTask(name: "not begun") { try await pending.get() }
    #expect(reports.all.isEmpty)
    try loop.close()
    #expect(reports.all.map(\.task) == names + ["not begun"])
    // What it waits for stands in between, if any loop of the process was ever in debug mode.
    for message in reports.all.map(\.message) {
      #expect(message.hasPrefix("an event loop was closed while a task was pending;"))
      #expect(message.hasSuffix("; cancel the task or await it first"))
    }
    #expect(reports.all[0].exception == nil && reports.all[0].source == nil)
    try loop.close()
    #expect(reports.all.count == 21, "once")
    pending.cancel()
  }

  @Test("165: in debug mode the report says where the task was made", arguments: LoopKind.allCases)
  func source(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let reports = reports(of: loop)
    loop.isDebug = true
    let line: UInt = #line + 1
    let task = try loop.createTask { try await sleep(for: .seconds(3600)) }
    try loop.close()
    #expect(reports.all.map(\.source?.line) == [line])
    _ = await #expect(throws: EventLoopError.self) { try await task.get() }
  }

  @Test("165: the handler finds a closed loop, and may throw", arguments: LoopKind.allCases)
  func handler(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let log = CapturedLog(of: loop)
    let states = Recorder<Bool>()
    loop.exceptionHandler = { loop, _ in
      states.record(loop.isClosed)
      throw CancellationError()
    }
    let pending: Future<Void> = loop.createFuture()
    try loop.createTask { try await pending.get() }
    try loop.runCoroutineThreadsafe { try await pending.get() }
    try loop.close()
    #expect(states.all == [true, true])
    #expect(log.messages.count == 2)
    #expect(
      log.messages.allSatisfy { $0.contains("while handling: an event loop was closed while a task was pending") })
    pending.cancel()
  }

  @Test("165: ended and cancelled tasks, plain tasks and futures are not reported", arguments: LoopKind.allCases)
  func notReported(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let reports = reports(of: loop)
    let pending: Future<Void> = loop.createFuture()
    let plain = try await loop.run {
      try await loop.createTask {}.get()
      let cancelled = try loop.createTask { try await pending.get() }
      cancelled.cancel()
      await #expect(throws: CancellationError.self) { try await cancelled.get() }
      return Task(executorPreference: loop.taskExecutor) { try? await pending.get() }
    }
    let future: Future<Int> = loop.createFuture()
    future.addDoneCallback { _ in }
    try loop.close()
    #expect(reports.all.isEmpty)
    plain.cancel()
    await plain.value
  }
}

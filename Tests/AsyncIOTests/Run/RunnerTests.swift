import Testing

@testable import AsyncIO

/// `Runner`, scoped: each in a thread of its own.
@Suite struct RunnerTests {
  private struct Failure: Error, Equatable {}

  private func withRunner<R: Sendable>(
    _ kind: LoopKind, _ body: @escaping @Sendable (Runner) throws -> R
  ) async throws -> R {
    try await inThread {
      let runner = Runner(loopFactory: { try kind.makeLoop() })
      defer { try? runner.close() }
      return try body(runner)
    }
  }

  @Test("172: several runs share the loop, its tasks and what is bound around them", arguments: LoopKind.allCases)
  func severalRuns(kind: LoopKind) async throws {
    try await withRunner(kind) { runner in
      let notes = Recorder<String>()
      try Marker.$value.withValue("around") {
        let loop = try runner.run { try getRunningLoop() }
        let go = loop.createFuture(of: Void.self)
        let task = try runner.run {
          notes.record(Marker.value)
          return try getRunningLoop().createTask {
            try await go.get()
            return Marker.value
          }
        }
        #expect(!task.isDone)
        let (same, value) = try runner.run {
          try go.setResult(())
          return (try getRunningLoop() === loop, try await task.get())
        }
        #expect(same && value == "around")
        #expect(try runner.getLoop() === loop)
        #expect(!loop.isClosed && !loop.isRunning)
      }
      #expect(notes.all == ["around"])
    }
  }

  @Test("The loop is made when it is first needed, once, and debug is passed on", arguments: LoopKind.allCases)
  func lazy(kind: LoopKind) async throws {
    try await inThread {
      let made = Recorder<Int>()
      let runner = Runner(debug: true) {
        made.record(1)
        return try kind.makeLoop()
      }
      #expect(made.all.isEmpty)
      let loop = try runner.getLoop()
      #expect(loop.isDebug)
      #expect(try runner.run { 4 } == 4)
      #expect(throws: Failure()) { try runner.run { throw Failure() } }
      #expect(made.all == [1])
      try runner.close()
      #expect(loop.isClosed)
      let unused = Runner { throw Failure() }
      try unused.close()
      let failing = Runner { throw Failure() }
      #expect(throws: Failure()) { try failing.run {} }
    }
  }

  @Test("A runner refuses inside a run and inside a task, and goes on", arguments: LoopKind.allCases)
  func nested(kind: LoopKind) async throws {
    try await withRunner(kind) { runner in
      let loop = try runner.getLoop()
      nonisolated(unsafe) let runner = runner  // the callback runs in this thread, inside the run
      try loop.callSoon {
        expectRefusal(.anotherLoopRunning) { try runner.run {} }
        expectRefusal(.alreadyRunning) { try runner.close() }
        expectRefusal(.anotherLoopRunning) { try Runner().run {} }
      }
      try runner.run { try await sleep(for: .zero) }
      #expect(try runner.run { 3 } == 3)
    }
    /// Without the compiler's knowledge that it is called in a task.
    @Sendable func run() throws { try Runner().run {} }
    expectRefusal(.runInsideTask) { try run() }
  }

  @Test("The policy sees new, set(loop), set(nil), each once; with a factory nothing")
  func policy() async throws {
    try await inThread {
      let policy = RecordingPolicy()
      try withEventLoopPolicy(policy) {
        let runner = Runner()
        let loop = try runner.getLoop()
        #expect(try getEventLoop() === loop)
        for _ in 0..<2 { try runner.run {} }
        #expect(policy.calls.all == ["new", "set(loop)", "get"])
        try runner.close()
        #expect(policy.calls.all.last == "set(nil)" && policy.calls.all.count == 4)
        let other = Runner(loopFactory: { try SelectorEventLoop() })
        try other.run {}
        try other.close()
        #expect(policy.calls.all.count == 4)
      }
    }
  }

  @Test("close waits for the default executor", arguments: LoopKind.allCases)
  func executor(kind: LoopKind) async throws {
    try await withRunner(kind) { runner in
      let notes = Recorder<String>()
      let began = Gate()
      let release = Gate()
      try runner.run {
        _ = try getRunningLoop().runInExecutor {
          began.open()
          release.wait()
          notes.record("worked")
        }
      }
      began.wait()
      startThread { release.open() }
      try runner.close()
      #expect(notes.all == ["worked"])
    }
  }

  @Test("A run that stop() ends leaves its body to the next run, or to close", arguments: LoopKind.allCases)
  func stopped(kind: LoopKind) async throws {
    try await withRunner(kind) { runner in
      let notes = Recorder<String>()
      let loop = try runner.getLoop()
      try loop.callSoon { loop.stop() }
      expectRefusal(.stoppedBeforeCompletion) {
        try runner.run {
          try await sleep(for: .milliseconds(1))
          notes.record("went on")
        }
      }
      try runner.run { while notes.all.isEmpty { try await sleep(for: .zero) } }
      #expect(notes.all == ["went on"])
    }
  }
}

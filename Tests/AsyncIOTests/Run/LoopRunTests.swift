import AsyncIO
import Testing

/// `loop.run { }`, the scoped way into a loop, in both of its forms.
@Suite struct LoopRunTests {
  private struct Failure: Error, Equatable {}

  @Test("The synchronous form runs in the calling thread, the asynchronous one in a thread of the loop's own")
  func threads() async throws {
    try await withLoop { loop in
      let own = try await loop.run { threadNumber() }
      let again = try await loop.run { threadNumber() }
      #expect(own != threadNumber() && again != threadNumber())
      let (caller, ran) = try await inThread {
        (threadNumber(), try loop.run { threadNumber() })
      }
      #expect(caller == ran)
    }
  }

  @Test("A body's error comes out, and the loop runs again")
  func errors() async throws {
    try await withLoop { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      await #expect(throws: Failure()) { try await loop.run { throw Failure() } }
      await #expect(throws: Failure()) { try await inThread { try loop.run { throw Failure() } } }
      await #expect(throws: CancellationError.self) { try await loop.run { throw CancellationError() } }
      let four = try await loop.run { 4 }
      #expect(four == 4)
      #expect(reports.all.isEmpty)
    }
  }

  @Test("Cancelling the caller cancels the body, and the caller waits for the end of it")
  func cancellation() async throws {
    try await withLoop { loop in
      let events = Recorder<String>()
      let (started, start) = AsyncStream.makeStream(of: Void.self)
      let caller = Task {
        defer { events.record("caller ended") }
        try await loop.run {
          start.finish()
          do { try await sleep(for: .seconds(3600)) } catch {
            await Task.yield()
            events.record("body ended")
            throw error
          }
        }
      }
      for await _ in started {}
      caller.cancel()
      await #expect(throws: CancellationError.self) { try await caller.value }
      #expect(events.all == ["body ended", "caller ended"])
      #expect(!loop.isRunning)
    }
  }

  @Test("A caller that is cancelled before it begins: the body finds itself cancelled")
  func cancelledBefore() async throws {
    try await withLoop { loop in
      let caller = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await loop.run { Task.isCancelled }
      }
      let wasCancelled = try await caller.value
      #expect(wasCancelled)
    }
  }

  @Test("A run of a running or closed loop is refused, and leaves no task behind")
  func refused() async throws {
    let loop = try SelectorEventLoop()
    let ran = Recorder<String>()
    try await loop.run {
      let error = await #expect(throws: EventLoopError.self) { try await loop.run { ran.record("nested") } }
      #expect(error?.code == .alreadyRunning)
      for _ in 0..<5 { try await sleep(for: .zero) }
      #expect(loop.isRunning)
    }
    try loop.close()
    let error = await #expect(throws: EventLoopError.self) { try await loop.run { ran.record("closed") } }
    #expect(error?.code == .closed)
    let inThreadError = await #expect(throws: EventLoopError.self) {
      try await inThread { try loop.run { ran.record("closed") } }
    }
    #expect(inThreadError?.code == .closed)
    #expect(ran.all.isEmpty)
  }

  @Test("The synchronous form is refused in a callback of another loop, before its body becomes a task")
  func insideCallback() async throws {
    try await inThread {
      let (outer, inner) = (try SelectorEventLoop(), try SelectorEventLoop())
      let ran = Recorder<String>()
      try outer.callSoon {
        let error = #expect(throws: EventLoopError.self) { try inner.run { ran.record("inner") } }
        #expect(error?.code == .anotherLoopRunning)
        outer.stop()
      }
      try outer.runForever()
      try inner.run { try await sleep(for: .zero) }
      #expect(ran.all.isEmpty)
      try outer.close()
      try inner.close()
    }
  }

  @Test("A run that is stopped throws; its body goes on in the next run, even in another thread")
  func stopped() async throws {
    try await withLoop { loop in
      let events = Recorder<String>()
      let gate: Future<Void> = loop.createFuture()
      let error = await #expect(throws: EventLoopError.self) {
        try await loop.run {
          loop.stop()
          try await gate.get()
          events.record("went on")
        }
      }
      #expect(error?.code == .stoppedBeforeCompletion)
      #expect(events.all.isEmpty)
      try gate.setResult(())
      try await loop.run { while events.all.isEmpty { try await sleep(for: .zero) } }
      #expect(events.all == ["went on"])
    }
  }

  @Test("64 loops run side by side, each with its own tasks, and stay apart")
  func manyLoops() async throws {
    let counts = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<64 {
        group.addTask {
          try await withLoop { loop in
            try await loop.run {
              try await withThrowingTaskGroup(of: Bool.self) { children in
                for _ in 0..<10 {
                  children.addTask {
                    try await sleep(for: .microseconds(100))
                    return try getRunningLoop() === loop
                  }
                }
                return try await children.reduce(0) { $1 ? $0 + 1 : $0 }
              }
            }
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(counts == Array(repeating: 10, count: 64))
  }

  @Test("The body runs in the scope and with the task-local values of its caller")
  func scope() async throws {
    try await withLoop { loop in
      let policy = RecordingPolicy()
      let seen = try await withEventLoopPolicy(policy) {
        try await Values.$name.withValue("inner") {
          try await loop.run { (getEventLoopPolicy() === policy, Values.name) }
        }
      }
      #expect(seen == (true, "inner"))
    }
  }

  private enum Values {
    @TaskLocal static var name = "outer"
  }

  @Test("A pinned actor runs on its loop; its state can be used without a hop by callbacks of the loop")
  func pinnedActor() async throws {
    try await withLoop { loop in
      let actor = Counter(on: loop)
      try await loop.run {
        await actor.increment()
        let done: Future<Int> = loop.createFuture()
        try loop.callSoon { try done.setResult(actor.assumeIsolated { $0.incremented() }) }
        let count = try await done.get()
        #expect(count == 2)
      }
    }
  }

  private actor Counter {
    private let loop: BaseEventLoop
    private var count = 0

    init(on loop: BaseEventLoop) { self.loop = loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

    func increment() { #expect(incremented() == 1 && (try? getRunningLoop()) === loop) }

    func incremented() -> Int {
      count += 1
      return count
    }
  }
}

import AsyncIO
import Testing

/// Futures by the contract: done once, callbacks in order and never synchronous, errors that nobody looked at.
@Suite struct FutureTests {
  struct Failure: Error, Equatable { var number = 0 }

  private func code(of body: () throws -> Void) -> EventLoopError.Code? {
    #expect(throws: EventLoopError.self) { try body() }?.code
  }

  /// Run the loop in this thread until what is ready now, and what that makes ready at once, has run.
  private func turn(_ loop: BaseEventLoop) throws {
    loop.stop()
    try loop.runForever()
  }

  @Test("157: callbacks run in the order of their registration, in the next turn, never inside the completing call")
  func order() async throws {
    try await inThread {
      let loop = try SelectorEventLoop()
      let events = Recorder<String>()
      let future: Future<Int> = loop.createFuture()
      for number in 1...3 { future.addDoneCallback { events.record("\(number): \($0.isDone)") } }
      try loop.callSoon {
        try loop.callSoon { events.record("queued before") }
        try future.setResult(7)
        events.record("completed")
        try loop.callSoon { events.record("queued after") }
      }
      try turn(loop)
      #expect(events.all == ["completed"])
      try turn(loop)
      #expect(events.all == ["completed", "queued before", "1: true", "2: true", "3: true", "queued after"])
      try loop.close()
    }
  }

  @Test("157: one callback more than once runs more than once; a removed one does not run")
  func removal() async throws {
    try await inThread {
      let loop = try SelectorEventLoop()
      let events = Recorder<Int>()
      let future: Future<Void> = loop.createFuture()
      let note = { @Sendable (number: Int) in { @Sendable (_: Future<Void>) in events.record(number) } }
      future.addDoneCallback(note(1))
      let second = future.addDoneCallback(note(2))
      future.addDoneCallback(note(1))
      #expect(future.removeDoneCallback(second))
      #expect(!future.removeDoneCallback(second))
      try future.setResult(())
      try turn(loop)
      #expect(events.all == [1, 1])
      try loop.close()
    }
  }

  @Test("A callback completed by another thread runs on the loop, and wakes it")
  func otherThread() async throws {
    try await inThread {
      let loop = try SelectorEventLoop()
      let events = Recorder<Bool>()
      let future: Future<Int> = loop.createFuture()
      future.addDoneCallback { _ in
        events.record((try? getRunningLoop()) === loop)
        loop.stop()
      }
      // The thread is started by the running loop, which then has nothing to do but wait.
      try loop.callSoon { startThread { try? future.setResult(3) } }
      try loop.runForever()
      #expect(events.all == [true])
      try loop.close()
    }
  }

  @Test("Reading: an error while pending; result and exception tell value, error and cancellation apart")
  func reading() async throws {
    try await withLoop { loop in
      let future: Future<Int> = loop.createFuture()
      #expect(code { _ = try future.result() } == .invalidState)
      #expect(code { _ = try future.exception() } == .invalidState)
      try future.setResult(5)
      #expect(try future.exception() == nil)
      let failed: Future<Int> = loop.createFuture()
      // An error of the library's own kind is a result like any other.
      try failed.setException(EventLoopError(.invalidState, "mine"))
      #expect((try failed.exception() as? EventLoopError)?.description == "mine")
      let cancelled: Future<Int> = loop.createFuture()
      cancelled.cancel()
      #expect(throws: CancellationError.self) { try cancelled.exception() }
    }
  }

  @Test("162: of the messages of two cancellations the first wins")
  func cancelMessage() async throws {
    try await withLoop { loop in
      let future: Future<Int> = loop.createFuture()
      #expect(future.cancelMessage == nil)
      #expect(future.cancel("first"))
      #expect(!future.cancel("second"))
      #expect(future.cancelMessage == "first")
    }
  }

  @Test("159: an error that nobody looked at is reported once, with the error and the future")
  func neverRetrieved() async throws {
    try await withLoop { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      do {
        let future: Future<Int> = loop.createFuture()
        try future.setException(Failure(number: 4))
      }
      #expect(reports.all.count == 1)
      #expect(reports.all.first?.exception as? Failure == Failure(number: 4))
      #expect(reports.all.first?.message.contains("never retrieved") == true)
      #expect(reports.all.first?.future != nil)
      // In debug mode the report says where the future was made.
      #expect(reports.all.first?.source == nil)
      loop.isDebug = true
      do { try Future<Int>(loop: loop).setException(Failure()) }
      #expect(reports.all.last?.source?.description.hasPrefix("AsyncIOTests/FutureTests.swift:") == true)
    }
  }

  @Test("159: looked at, awaited, cancelled, pending or successful: nothing is reported")
  func retrieved() async throws {
    try await withLoop { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      do {
        let futures: [Future<Int>] = (0..<6).map { _ in loop.createFuture() }
        try futures[0].setException(Failure())
        #expect(throws: Failure.self) { try futures[0].result() }
        try futures[1].setException(Failure())
        #expect(try futures[1].exception() is Failure)
        try futures[2].setException(Failure())
        await #expect(throws: Failure.self) { try await futures[2].get() }
        futures[3].cancel()
        try futures[4].setResult(1)
      }
      #expect(reports.all.isEmpty)
    }
  }

  @Test("Cancelling the awaiting task cancels the future, and the other tasks that await it see that")
  func awaiting() async throws {
    try await withLoop { loop in
      let future: Future<Int> = loop.createFuture()
      try await loop.run {
        let first = Task(executorPreference: loop.taskExecutor) { try await future.get() }
        let second = Task(executorPreference: loop.taskExecutor) { try await future.get() }
        try await sleep(for: .zero)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        await #expect(throws: CancellationError.self) { try await second.value }
        #expect(future.isCancelled && !second.isCancelled)
      }
    }
  }

  @Test("A future that is awaited by many tasks gives all of them its value")
  func manyWaiters() async throws {
    try await withLoop { loop in
      let sum = try await loop.run {
        let future: Future<Int> = loop.createFuture()
        let tasks = (0..<50).map { _ in Task(executorPreference: loop.taskExecutor) { try await future.get() } }
        try loop.callSoon { try future.setResult(2) }
        var sum = 0
        for task in tasks { sum += try await task.value }
        return sum
      }
      #expect(sum == 100)
    }
  }

  @Test("164: runUntilComplete refuses a future of another loop, without starting")
  func foreign() async throws {
    try await inThread {
      let (loop, other) = (try SelectorEventLoop(), try SelectorEventLoop())
      let events = Recorder<String>()
      try loop.callSoon { events.record("ran") }
      #expect(code { _ = try loop.runUntilComplete(Future<Int>(loop: other)) } == .foreignLoop)
      #expect(events.all.isEmpty && !loop.isRunning)
      try loop.close()
      try other.close()
    }
  }

  @Test("A future whose loop was closed still completes and resumes who awaits it; its callbacks go away")
  func closedLoop() async throws {
    let loop = try SelectorEventLoop()
    let future: Future<Int> = loop.createFuture()
    let events = Recorder<String>()
    weak var captured: Recorder<String>?
    do {
      let capture = Recorder<String>()
      captured = capture
      future.addDoneCallback { _ in capture.record("never") }
    }
    future.addDoneCallback { _ in events.record("never") }
    try loop.close()
    async let value = future.get()
    try future.setResult(9)
    let awaited = try await value
    #expect(awaited == 9)
    #expect(events.all.isEmpty)
    #expect(captured == nil)
  }

  @Test("Callbacks and tasks learn the result in the order they came", arguments: LoopKind.allCases, [true, false])
  func order(kind: LoopKind, fromElsewhere: Bool) async throws {
    try await kind.run { loop in
      let future: Future<Int> = loop.createFuture()
      let notes = Recorder<Int>()
      var tasks: [LoopTask<Void>] = []
      for number in 0..<12 {
        if number % 3 == 1 {
          future.addDoneCallback { _ in notes.record(number) }
        } else {
          tasks.append(
            try loop.createTask {
              _ = try await future.get()
              notes.record(number)
            })
          try await sleep(for: .zero)
        }
      }
      if fromElsewhere {
        try await loop.runInExecutor { try future.setResult(1) }.get()
      } else {
        try future.setResult(1)
      }
      _ = try await gather(tasks)
      #expect(notes.all == Array(0..<12))
    }
  }
}

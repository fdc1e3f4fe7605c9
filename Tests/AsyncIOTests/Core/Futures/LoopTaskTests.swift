import AsyncIO
import Testing

/// Tasks that `createTask` makes: Swift tasks on a loop, seen as futures.
@Suite struct LoopTaskTests {
  private struct Failure: Error, Equatable {}

  @Test("createTask runs on the loop, gives its value, and counts its names; a given name is kept")
  func names() async throws {
    try await withLoop { loop in
      try await loop.run {
        let first = try loop.createTask { try getRunningLoop() === loop }
        let second = try loop.createTask(name: "mine") { 2 }
        let third = try loop.createTask { 3 }
        #expect(try await first.get())
        #expect(try await second.get() == 2)
        #expect(second.taskName == "mine")
        let numbers = [first.taskName, third.taskName].map { Int($0.trimmingPrefix("Task-")) }
        // Tests beside this one count with the same counter.
        #expect(try #require(numbers[0]) < #require(numbers[1]))
        #expect(try await third.get() == 3)
      }
    }
  }

  @Test("A task may be made before the loop runs, and is run by the next run")
  func beforeRun() async throws {
    try await inThread {
      let loop = try SelectorEventLoop()
      let task = try loop.createTask { 6 }
      #expect(!task.isDone)
      #expect(try loop.runUntilComplete(task) == 6)
      try loop.close()
    }
  }

  @Test("161: a task that suppresses its cancellation keeps its result, and the request is counted")
  func suppressed() async throws {
    try await withLoop { loop in
      try await loop.run {
        let task = try loop.createTask {
          do { try await sleep(for: .seconds(3600)) } catch is CancellationError {}
          return 8
        }
        try await sleep(for: .zero)
        #expect(task.cancel())
        #expect(try await task.get() == 8)
        #expect(!task.isCancelled)
        #expect(task.cancelling == 1)
        #expect(task.uncancel() == 0)
        #expect(task.uncancel() == 0)
        #expect(!task.cancel(), "it is done")
      }
    }
  }

  @Test("Cancelling the awaiting task cancels the awaited one, which is awaited to its end")
  func awaiting() async throws {
    try await withLoop { loop in
      let events = Recorder<String>()
      try await loop.run {
        let inner = try loop.createTask {
          do { try await sleep(for: .seconds(3600)) } catch {
            await Task.yield()
            events.record("cleaned up")
            throw error
          }
        }
        let outer = try loop.createTask {
          defer { events.record("outer ended") }
          try await inner.get()
        }
        try await sleep(for: .zero)
        outer.cancel()
        await #expect(throws: CancellationError.self) { try await outer.get() }
        #expect(inner.isCancelled && outer.isCancelled)
        #expect(events.all == ["cleaned up", "outer ended"])
      }
    }
  }

  @Test("159: a task's error that nobody looked at is reported once; awaited or cancelled it is not")
  func neverRetrieved() async throws {
    try await withLoop { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      try await loop.run {
        let awaited = try loop.createTask { throw Failure() }
        await #expect(throws: Failure()) { try await awaited.get() }
        try loop.createTask { try await sleep(for: .seconds(3600)) }.cancel()
        try loop.createTask(name: "forgotten") { throw Failure() }
        for _ in 0..<3 { try await sleep(for: .zero) }
      }
      #expect(reports.all.count == 1)
      #expect(reports.all.first?.exception is Failure)
      #expect(reports.all.first?.task?.contains("forgotten") == true)
    }
  }

  @Test("createTask refuses a closed loop, and in debug mode a loop that runs in another thread")
  func refused() async throws {
    let loop = try SelectorEventLoop()
    try await loop.run {
      let code = try await inThread {
        loop.isDebug = true
        defer { loop.isDebug = false }
        return #expect(throws: EventLoopError.self) { try loop.createTask {} }?.code
      }
      #expect(code == .wrongThread)
    }
    try loop.close()
    let error = #expect(throws: EventLoopError.self) { try loop.createTask {} }
    #expect(error?.code == .closed)
  }
}

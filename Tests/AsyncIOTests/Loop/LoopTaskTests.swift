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

  @Test("160: a task that is cancelled before its first step never runs its body")
  func cancelBeforeStart() async throws {
    try await withLoop { loop in
      let events = Recorder<String>()
      let task = try await loop.run {
        let task = try loop.createTask { events.record("body") }
        #expect(task.cancel("too late"))
        #expect(!task.isDone, "it is done when its job has run, not before")
        await #expect(throws: CancellationError.self) { try await task.get() }
        return task
      }
      #expect(task.isCancelled)
      #expect(task.cancelMessage == "too late")
      #expect(events.all.isEmpty)
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

  @Test("162: a task that is cancelled twice ends with the message of the first")
  func cancelTwice() async throws {
    try await withLoop { loop in
      try await loop.run {
        let task = try loop.createTask { try await sleep(for: .seconds(3600)) }
        try await sleep(for: .zero)
        #expect(task.cancel("first"))
        #expect(task.cancel("second"))
        #expect(task.cancelling == 2)
        await #expect(throws: CancellationError.self) { try await task.get() }
        #expect(task.cancelMessage == "first")
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

  @Test("164: a task that awaits itself gets an error")
  func awaitsItself() async throws {
    try await withLoop { loop in
      try await loop.run {
        let box: Future<LoopTask<Void>> = loop.createFuture()
        let task = try loop.createTask {
          let itself = try await box.get()
          let error = await #expect(throws: EventLoopError.self) { try await itself.get() }
          #expect(error?.code == .invalidState)
        }
        try box.setResult(task)
        try await task.get()
      }
    }
  }

  @Test("164: a future of another loop may be awaited: its value comes back to the task's own loop")
  func foreignFuture() async throws {
    try await withLoop { loop in
      try await withLoop { other in
        let future: Future<Int> = other.createFuture()
        async let otherRuns: Void = other.run {
          // Completes when the task of the first loop waits for it, or before: both have to work.
          try await sleep(for: .zero)
          try future.setResult(4)
        }
        let (value, isAtHome) = try await loop.run {
          let value = try await future.get()
          return (value, try getRunningLoop() === loop)
        }
        try await otherRuns
        #expect(value == 4 && isAtHome)
      }
    }
  }

  @Test("165: a task without any other reference is held until it has ended")
  func strongReference() async throws {
    try await withLoop { loop in
      let events = Recorder<String>()
      weak var seen: LoopTask<Void>?
      try await loop.run {
        let future: Future<Void> = loop.createFuture()
        do {
          let task = try loop.createTask {
            try await future.get()
            events.record("ended")
          }
          seen = task
        }
        try await sleep(for: .zero)
        #expect(seen != nil)
        try future.setResult(())
        while events.all.isEmpty { try await sleep(for: .zero) }
        try await sleep(for: .zero)
        #expect(seen == nil)
      }
      #expect(events.all == ["ended"])
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

import Testing

@testable import AsyncIO

/// `withTimeout`: line 168 of the conformance list and its neighbours.
@Suite(.timeLimit(.minutes(5))) struct TimeoutTests {
  struct Failure: Error, Equatable {}

  /// What waits with a limit for something that never comes.
  enum Waiting: String, CaseIterable, Sendable {
    case withTimeout, wait, asCompleted, shutdown

    func run(_ loop: BaseEventLoop) async throws {
      switch self {
      case .withTimeout: try await AsyncIO.withTimeout(.seconds(600)) { try await Event().wait() }
      case .wait: _ = try await AsyncIO.wait(for: [loop.createFuture(of: Int.self)], timeout: .seconds(600))
      case .asCompleted:
        for try await _ in try AsyncIO.asCompleted([loop.createFuture(of: Int.self)], timeout: .seconds(600)) {}
      case .shutdown:
        let gate = Gate()
        defer { gate.open() }
        _ = try loop.runInExecutor { gate.wait() }
        await loop.shutdownDefaultExecutor(timeout: .seconds(600))
        // It throws nothing; the task that waits goes on.
        if loop.isClosed { throw EventLoopError.closed("shutdownDefaultExecutor") }
      }
    }
  }

  @Test("A limit ends with its loop", arguments: LoopKind.allCases, Waiting.allCases)
  func closedLoop(kind: LoopKind, waiting: Waiting) async throws {
    let ended = Recorder<String>()
    let task = try await kind.withLoop { loop in
      loop.exceptionHandler = { _, _ in }
      let task = try loop.createTask {
        do { try await waiting.run(loop) } catch let error as EventLoopError { ended.record("\(error.code)") }
      }
      try loop.callSoon { try loop.callSoon { loop.stop() } }
      try loop.runForever()
      #expect(loop.scheduledTimerCount == 1, "it waits")
      try loop.close()
      return task
    }
    try await task.get()
    #expect(ended.all == ["closed"])
  }

  @Test("A body that ends with a value when its loop is closed wins", arguments: LoopKind.allCases)
  func closedLoopValue(kind: LoopKind) async throws {
    let task = try await kind.withLoop { loop in
      loop.exceptionHandler = { _, _ in }
      let task = try loop.createTask {
        try await AsyncIO.withTimeout(.seconds(600)) {
          try? await Event().wait()
          return 7
        }
      }
      try loop.callSoon { try loop.callSoon { loop.stop() } }
      try loop.runForever()
      try loop.close()
      return task
    }
    #expect(try await task.get() == 7)
  }

  @Test("Durations saturate: too long a limit never strikes", arguments: LoopKind.allCases)
  func hugeLimits(kind: LoopKind) async throws {
    try await kind.run { loop in
      for limit in [Duration.seconds(1e20), .seconds(Int64.max), .nanoseconds(Int64.max)] {
        let value = try await AsyncIO.withTimeout(limit) { 1 }
        #expect(value == 1)
        #expect(loop.time().advanced(by: limit) == .distantFuture)
        #expect(limit.saturatedNanoseconds == .max && (.zero - limit).saturatedNanoseconds <= -.max)
      }
      #expect(Duration.nanoseconds(-3).saturatedNanoseconds == -3)
      #expect(Duration(secondsComponent: 0, attosecondsComponent: 1).saturatedNanoseconds == 1)
      #expect(Duration(secondsComponent: 0, attosecondsComponent: -1).saturatedNanoseconds == 0)
      #expect(Duration.nanoseconds(Int64.max - 1).saturatedNanoseconds == .max - 1)
      #expect(Duration.nanoseconds(Int64.min + 1).saturatedNanoseconds == .min + 1)
    }
  }

  @Test("168: only the inner limit fires, and only inside", arguments: LoopKind.allCases)
  func innerFires(kind: LoopKind) async throws {
    try await kind.run { loop in
      let value = try await withTimeout(.seconds(60)) {
        await #expect(throws: TimeoutError(limit: .milliseconds(2))) {
          try await withTimeout(.milliseconds(2)) { try await sleep(for: .seconds(60)) }
        }
        #expect(!Task.isCancelled)
        return 5
      }
      #expect(value == 5)
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("168: an outer limit leaves through the inner one as a cancellation", arguments: LoopKind.allCases)
  func outerFires(kind: LoopKind) async throws {
    try await kind.run { loop in
      await #expect(throws: TimeoutError(limit: .milliseconds(2))) {
        try await withTimeout(.milliseconds(2)) {
          await #expect(throws: CancellationError.self) {
            try await withTimeout(.seconds(60)) { try await sleep(for: .seconds(60)) }
          }
          try await sleep(for: .seconds(60))
        }
      }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("168: a cancel from outside stays a cancellation", arguments: LoopKind.allCases)
  func outerCancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      let task = try loop.createTask {
        do {
          try await withTimeout(.seconds(60)) { try await sleep(for: .seconds(60)) }
          return "nothing thrown"
        } catch { return "\(type(of: error))" }
      }
      while loop.scheduledTimerCount < 2 { try await sleep(for: .zero) }
      task.cancel()
      #expect(try await task.get() == "CancellationError")
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("A body that ends with a value after its limit wins", arguments: LoopKind.allCases)
  func valueWins(kind: LoopKind) async throws {
    try await kind.run { loop in
      let value = try await withTimeout(.milliseconds(1)) {
        while !Task.isCancelled { await Task.yield() }
        return 7
      }
      #expect(value == 7)
      #expect(!Task.isCancelled)
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("The body's own errors pass, also a CancellationError of its own", arguments: LoopKind.allCases)
  func errorsPass(kind: LoopKind) async throws {
    try await kind.run { loop in
      await #expect(throws: Failure()) { try await withTimeout(.seconds(60)) { throw Failure() } }
      await #expect(throws: CancellationError.self) {
        try await withTimeout(.seconds(60)) { throw CancellationError() }
      }
      await #expect(throws: Failure()) {
        try await withTimeout(.milliseconds(1)) {
          while !Task.isCancelled { await Task.yield() }
          throw Failure()
        }
      }
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Lent spans and variables of the caller can be used in the body", arguments: LoopKind.allCases)
  func nonEscaping(kind: LoopKind) async throws {
    try await kind.run { _ in
      let bytes: [UInt8] = [1, 2, 3, 4]
      var seen = 0
      let sum = try await withTimeout(.seconds(60)) {
        let span = bytes.span
        try await sleep(for: .microseconds(10))
        seen = span.count
        return span.indices.reduce(0) { $0 + Int(span[$1]) }
      }
      #expect(sum == 10 && seen == 4)
    }
  }

  @Test("The body runs on the loop, with the task-local values of the caller", arguments: LoopKind.allCases)
  func sameLoop(kind: LoopKind) async throws {
    try await kind.run { loop in
      let seen = try await Marker.$value.withValue("outside") {
        try await withTimeout(.seconds(60)) {
          try await sleep(for: .zero)
          #expect(try getRunningLoop() === loop)
          return Marker.value
        }
      }
      #expect(seen == "outside")
      #expect(try getRunningLoop() === loop)
    }
  }
}

/// A task-local value to look for.
enum Marker {
  @TaskLocal static var value = "none"
}

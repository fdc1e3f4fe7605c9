import Testing

@testable import AsyncIO

/// `withTimeout`: line 168 of the conformance list and its neighbours.
@Suite struct TimeoutTests {
  struct Failure: Error, Equatable {}

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

import Testing

@testable import AsyncIO

/// Callbacks that other threads post without a handle.
@Suite struct PostTests {
  @Test("Each thread's posts run in their order, among its other calls", arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let seen = Recorder<(thread: Int, number: Int)>()
      let left = Recorder<Void>()
      let threads = (0..<4).map { thread in
        TestThread {
          for number in 0..<5_000 {
            let record = { @Sendable in seen.record((thread, number)) }
            do {
              if number % 7 == 0 { try loop.callSoonThreadsafe(record) } else { try loop.post(record) }
            } catch {
              Issue.record(error)
            }
          }
          try? loop.post {
            left.record(())
            if left.all.count == 4 { loop.stop() }
          }
        }
      }
      try loop.runForever()
      for thread in threads { thread.join() }
      for thread in 0..<4 {
        #expect(seen.all.filter { $0.thread == thread }.map(\.number) == Array(0..<5_000))
      }
    }
  }

  @Test("A post wakes a loop that sleeps", arguments: LoopKind.allCases)
  func wakes(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let count = 200
      let turn = Recorder<Int>()
      let thread = TestThread {
        for number in 0..<count {
          try? loop.post { turn.record(number) }
          // Until it has run: the loop then goes to sleep again.
          while turn.all.count <= number {}
        }
        try? loop.post { loop.stop() }
      }
      try loop.runForever()
      thread.join()
      #expect(turn.all == Array(0..<count))
    }
  }

  @Test("From its own thread a post is for the next turn", arguments: LoopKind.allCases)
  func ownThread(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let seen = Recorder<String>()
      try loop.callSoon {
        try loop.callSoon { seen.record("first") }
        try loop.post { seen.record("second") }
        try loop.callSoon { seen.record("third") }
        seen.record("this turn")
        try loop.post { loop.stop() }
      }
      try loop.runForever()
      #expect(seen.all == ["this turn", "first", "second", "third"])
    }
  }

  @Test("An error is told; what ends the run leaves the rest for the next one", arguments: LoopKind.allCases)
  func errors(kind: LoopKind) async throws {
    struct Interrupt: InterruptError {}
    try await kind.withLoop { loop in
      let seen = Recorder<String>()
      loop.exceptionHandler = { _, context in seen.record("told of \(context.message)") }
      try loop.post { throw CancellationError() }
      try loop.post { seen.record("goes on") }
      try loop.post { throw Interrupt() }
      try loop.post { seen.record("in the next run") }
      #expect(throws: Interrupt.self) { try loop.runForever() }
      #expect(seen.all == ["told of exception in a callback", "goes on"])
      try loop.post { loop.stop() }
      try loop.runForever()
      #expect(seen.all.last == "in the next run")
    }
  }

  @Test("A loop that closes drops what was posted, and refuses more", arguments: LoopKind.allCases)
  func closed(kind: LoopKind) async throws {
    final class Captured: Sendable {}
    weak let before: Captured?
    weak let after: Captured?
    do {
      let (first, second) = (Captured(), Captured())
      (before, after) = (first, second)
      try await inThread {
        let loop = try kind.makeLoop()
        for _ in 0..<100 { try loop.post { withExtendedLifetime(first) {} } }
        try loop.close()
        let error = #expect(throws: EventLoopError.self) { try loop.post { withExtendedLifetime(second) {} } }
        #expect(error?.code == .closed)
      }
    }
    // The thread lets go of its body after it has told of the end.
    for _ in 0..<10_000 where before != nil || after != nil { try await Task.sleep(for: .milliseconds(1)) }
    #expect(before == nil && after == nil)
  }

  @Test("A burst of any size runs, while callbacks of it post more", arguments: LoopKind.allCases)
  func burst(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let count = Recorder<Int>()
      for number in 0..<40_000 {
        try loop.post { if number % 1000 == 0 { try loop.post { count.record(number) } } }
      }
      try loop.post { try loop.post { try loop.post { loop.stop() } } }
      try loop.runForever()
      #expect(count.all == (0..<40).map { $0 * 1000 })
    }
  }

  @Test("Callbacks that post themselves again and again take no more memory", arguments: LoopKind.allCases)
  func chains(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let most = Recorder<Int>()
      @Sendable func step(_ left: Int) throws {
        guard left > 0 else { return loop.stop() }
        if left % 1000 == 0 { most.record(loop.posted.places) }
        try loop.post { try step(left - 1) }
      }
      // With two of them the queue never empties.
      for _ in 0..<2 { try loop.post { try step(20_000) } }
      try loop.runForever()
      #expect(most.all.count >= 20 && most.all.allSatisfy { $0 <= 256 }, "\(most.all.max() ?? 0)")
    }
  }
}

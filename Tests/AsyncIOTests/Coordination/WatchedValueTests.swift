import Testing

@testable import AsyncIO

/// A value of which tasks want the latest.
@Suite(.timeLimit(.minutes(5)))
struct WatchedValueTests {
  @Test("An iteration begins with what is there, and skips what it was too slow for", arguments: LoopKind.allCases)
  func latest(kind: LoopKind) async throws {
    try await kind.run { loop in
      let level = WatchedValue(1)
      var values = level.makeAsyncIterator()
      #expect(try await values.next() == 1)
      for number in 2...9 { level.value = number }
      #expect(try await values.next() == 9, "only the latest is kept")
      let next = try loop.createTask {
        var other = level.makeAsyncIterator()
        return [try await other.next(), try await other.next()]
      }
      for _ in 0..<3 { try await sleep(for: .zero) }
      #expect(!next.isDone)
      level.value = 9
      #expect(try await next.get() == [9, 9], "a value that is equal is also a change")
    }
  }

  @Test("changed waits for what comes, and wakes everybody", arguments: LoopKind.allCases)
  func changed(kind: LoopKind) async throws {
    try await kind.run { loop in
      let level = WatchedValue("a")
      let tasks = try (0..<3).map { _ in try loop.createTask { try await level.changed() } }
      for _ in 0..<3 { try await sleep(for: .zero) }
      tasks[1].cancel()
      await #expect(throws: CancellationError.self) { try await tasks[1].get() }
      level.value = "b"
      level.value = "c"
      #expect(try await gather([tasks[0], tasks[2]]) == ["c", "c"])
      #expect(level.value == "c")
    }
  }

  @Test("Shut down, it gives the latest value to those who have not had it, and ends", arguments: LoopKind.allCases)
  func shutDown(kind: LoopKind) async throws {
    try await kind.run { loop in
      let level = WatchedValue(1)
      var slow = level.makeAsyncIterator()
      let waiting = try loop.createTask { try await level.changed() }
      let iterating = try loop.createTask { try await level.reduce(into: []) { $0.append($1) } }
      for _ in 0..<3 { try await sleep(for: .zero) }
      level.shutDown()
      level.value = 2
      #expect(try await waiting.get() == nil)
      #expect(try await iterating.get() == [1])
      #expect(try await slow.next() == 1)
      for _ in 0..<2 { #expect(try await slow.next() == nil) }
      #expect(try await level.changed() == nil && level.value == 1)
    }
  }

  @Test("Tasks of all loops see the last value, whatever they miss")
  func manyLoops() async throws {
    let level = WatchedValue(0)
    try await withThrowingTaskGroup(of: [Int].self) { group in
      for kind in LoopKind.allCases + LoopKind.allCases {
        group.addTask { try await kind.run { _ in try await level.reduce(into: []) { $0.append($1) } } }
      }
      for number in 1...300 {
        level.value = number
        await Task.yield()
      }
      level.shutDown()
      for try await got in group { #expect(got.last == 300 && got == got.sorted() && Set(got).count == got.count) }
    }
  }
}

import Testing

@testable import AsyncIO

/// Queues as sequences of what is put into them.
@Suite(.timeLimit(.minutes(5)))
struct QueueSequenceTests {
  @Test("A loop takes what is there and what comes, and ends with the queue", arguments: LoopKind.allCases)
  func wholeQueue(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>()
      for number in 0..<3 { try queue.putNoWait(number) }
      let taking = try loop.createTask {
        var taken: [Int] = []
        for try await number in queue {
          taken.append(number)
          try queue.taskDone()
        }
        return taken
      }
      try await queue.join()
      for number in 3..<6 { try await queue.put(number) }
      queue.shutDown()
      #expect(try await taking.get() == Array(0..<6))
    }
  }

  @Test("A queue that is shut down gives what it has first; dropped, it gives nothing")
  func shutDown() async throws {
    for (isImmediate, expected) in [(false, [1, 2]), (true, [])] {
      let queue = Queue<Int>()
      for number in [1, 2] { try queue.putNoWait(number) }
      queue.shutDown(immediate: isImmediate)
      var taken: [Int] = []
      for try await number in queue { taken.append(number) }
      #expect(taken == expected)
      var iterator = queue.makeAsyncIterator()
      for _ in 0..<2 { #expect(try await iterator.next() == nil, "and stays at its end") }
    }
  }

  @Test("Each kind has its order, also as a sequence")
  func orders() async throws {
    let numbers = [3, 1, 2]
    for (queue, expected) in [
      (Queue<Int>(), numbers), (LifoQueue<Int>(), numbers.reversed()), (PriorityQueue<Int>(), numbers.sorted()),
    ] {
      for number in numbers { try queue.putNoWait(number) }
      queue.shutDown()
      #expect(try await queue.reduce(into: []) { $0.append($1) } == expected)
    }
  }

  @Test("Several loops share the elements, each of which goes to one", arguments: LoopKind.allCases)
  func shared(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>(maxSize: 2)
      let workers = try (0..<3).map { _ in
        try loop.createTask {
          var taken: [Int] = []
          for try await number in queue {
            taken.append(number)
            try await sleep(for: .zero)
          }
          return taken
        }
      }
      for number in 0..<30 { try await queue.put(number) }
      queue.shutDown()
      let taken = try await gather(workers)
      #expect(taken.joined().sorted() == Array(0..<30))
      #expect(taken.allSatisfy { !$0.isEmpty && $0 == $0.sorted() })
    }
  }

  @Test("A cancelled loop throws, waiting or not, and takes nothing", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>()
      let waiting = try loop.createTask { for try await _ in queue { Issue.record("nothing was put") } }
      try await sleep(for: .zero)
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.get() }
      try queue.putNoWait(1)
      let late = try loop.createTask {
        withUnsafeCurrentTask { $0?.cancel() }
        for try await _ in queue { Issue.record("taken by a cancelled task") }
      }
      await #expect(throws: CancellationError.self) { try await late.get() }
      #expect(try queue.getNoWait() == 1)
    }
  }
}

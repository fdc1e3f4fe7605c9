import Testing

@testable import AsyncIO

/// The queues.
@Suite(.timeLimit(.minutes(5)))
struct QueueTests {
  @Test("Each kind has its order")
  func orders() async throws {
    let numbers = [3, 1, 4, 1, 5, 9, 2, 6]
    for (queue, expected) in [
      (Queue<Int>(), numbers), (LifoQueue<Int>(), numbers.reversed()), (PriorityQueue<Int>(), numbers.sorted()),
    ] {
      for number in numbers { try queue.putNoWait(number) }
      #expect(queue.count == 8 && !queue.isEmpty && !queue.isFull)
      #expect(try expected.map { _ in try queue.getNoWait() } == expected)
      #expect(throws: QueueEmptyError()) { try queue.getNoWait() }
    }
  }

  private struct Job: Comparable, Sendable {
    var rank: Int
    var name: Int
    static func < (a: Job, b: Job) -> Bool { a.rank < b.rank }
    static func == (a: Job, b: Job) -> Bool { a.rank == b.rank }
  }

  @Test("Equal priorities come in the order in which they were put")
  func stable() async throws {
    let queue = PriorityQueue<Job>()
    var random = SplitMix(seed: 7)
    var jobs: [Job] = []
    for name in 0..<500 {
      let job = Job(rank: Int(random.next() % 10), name: name)
      jobs.append(job)
      try await queue.put(job)
    }
    let expected = jobs.sorted { ($0.rank, $0.name) < ($1.rank, $1.name) }.map(\.name)
    #expect(try (0..<500).map { _ in try queue.getNoWait().name } == expected)
  }

  @Test("A full queue makes who puts wait, in order", arguments: LoopKind.allCases)
  func full(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>(maxSize: 2)
      #expect(queue.maxSize == 2)
      let tasks = try (0..<5).map { n in try loop.createTask { try await queue.put(n) } }
      try await sleep(for: .zero)
      #expect(queue.isFull && tasks.map(\.isDone) == [true, true, false, false, false])
      #expect(throws: QueueFullError()) { try queue.putNoWait(9) }
      tasks[2].cancel()
      await #expect(throws: CancellationError.self) { try await tasks[2].get() }
      var got: [Int] = []
      for _ in 0..<4 { got.append(try await queue.get()) }
      #expect(got == [0, 1, 3, 4])
      _ = try await gather([tasks[3], tasks[4]])
      #expect(queue.isEmpty)
    }
  }

  @Test("An empty queue makes who gets wait, in order; a cancelled one gets nothing", arguments: LoopKind.allCases)
  func empty(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>()
      let tasks = try (0..<4).map { _ in try loop.createTask { try await queue.get() } }
      try await sleep(for: .zero)
      tasks[1].cancel()
      for n in 0..<3 { try queue.putNoWait(n) }
      // Served, and cancelled before it goes on: it has its element.
      tasks[0].cancel()
      let results = try await gatherResults(tasks)
      #expect(results.map { try? $0.get() } == [0, nil, 1, 2])
      #expect(queue.isEmpty)
    }
  }

  @Test("join waits until all work is done; done too often is an error", arguments: LoopKind.allCases)
  func join(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>()
      try await queue.join()
      expectRefusal(.invalidState) { try queue.taskDone() }
      for n in 0..<3 { try await queue.put(n) }
      let joined = try loop.createTask { try await queue.join() }
      let cancelled = try loop.createTask { try await queue.join() }
      try await sleep(for: .zero)
      cancelled.cancel()
      await #expect(throws: CancellationError.self) { try await cancelled.get() }
      for _ in 0..<3 {
        #expect(!joined.isDone)
        _ = try await queue.get()
        try queue.taskDone()
      }
      try await joined.get()
      expectRefusal(.invalidState) { try queue.taskDone() }
    }
  }

  @Test("A queue that is shut down gives what it has, and takes nothing more", arguments: LoopKind.allCases)
  func shutDown(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>(maxSize: 2)
      for n in 0..<2 { try await queue.put(n) }
      let putting = try loop.createTask { try await queue.put(2) }
      let joining = try loop.createTask { try await queue.join() }
      try await sleep(for: .zero)
      queue.shutDown()
      await #expect(throws: QueueShutDownError()) { try await putting.get() }
      await #expect(throws: QueueShutDownError()) { try await queue.put(3) }
      #expect(throws: QueueShutDownError()) { try queue.putNoWait(3) }
      #expect(try await queue.get() == 0)
      #expect(try queue.getNoWait() == 1)
      await #expect(throws: QueueShutDownError()) { try await queue.get() }
      #expect(throws: QueueShutDownError()) { try queue.getNoWait() }
      #expect(!joining.isDone)
      for _ in 0..<2 { try queue.taskDone() }
      try await joining.get()
    }
  }

  @Test("Shut down at once, a queue drops what it has, and everybody wakes", arguments: LoopKind.allCases)
  func shutDownAtOnce(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>(maxSize: 2)
      for n in 0..<2 { try await queue.put(n) }
      let putting = try loop.createTask { try await queue.put(2) }
      let joining = try loop.createTask { try await queue.join() }
      let other = Queue<Int>()
      let getting = try loop.createTask { try await other.get() }
      try await sleep(for: .zero)
      queue.shutDown(immediate: true)
      other.shutDown()
      await #expect(throws: QueueShutDownError()) { try await putting.get() }
      await #expect(throws: QueueShutDownError()) { try await getting.get() }
      try await joining.get()
      #expect(queue.isEmpty)
      // Work on an element that was taken before still counts.
      let third = Queue<Int>()
      for n in 0..<2 { try await third.put(n) }
      _ = try await third.get()
      third.shutDown(immediate: true)
      let waiting = try loop.createTask { try await third.join() }
      try await sleep(for: .zero)
      #expect(!waiting.isDone)
      try third.taskDone()
      try await waiting.get()
    }
  }

  @Test("Tasks of several loops and of none pass everything on, each element once")
  func manyLoops() async throws {
    let queue = Queue<Int>(maxSize: 3)
    let taken = Recorder<Int>()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<2 {
        for kind in LoopKind.allCases {
          group.addTask {
            try await kind.run { _ in
              do { while true { taken.record(try await queue.get()) } } catch is QueueShutDownError {}
            }
          }
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { putting in
        for part in 0..<4 {
          putting.addTask { for n in 0..<250 { try await queue.put(part * 250 + n) } }
        }
        try await putting.waitForAll()
      }
      queue.shutDown()
      try await group.waitForAll()
    }
    #expect(taken.all.sorted() == Array(0..<1000))
  }

  @Test("Producers and consumers go on in turns, however little room there is", arguments: LoopKind.allCases, [1, 2])
  func inTurns(kind: LoopKind, maxSize: Int) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>(maxSize: maxSize)
      let got = Recorder<Int>()
      let producer = try loop.createTask { for n in 0..<5 { try await queue.put(n) } }
      let consumer = try loop.createTask { for _ in 0..<5 { got.record(try await queue.get()) } }
      _ = try await gather([producer, consumer])
      #expect(got.all == [0, 1, 2, 3, 4] && queue.isEmpty)
    }
  }

  @Test("Taking without waiting makes room for the tasks that wait", arguments: LoopKind.allCases)
  func roomByHand(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<Int>(maxSize: 2)
      let got = Recorder<Int>()
      let taker = try loop.createTask {
        try await sleep(for: .zero)
        for _ in 0..<queue.count { got.record(try queue.getNoWait()) }
      }
      let putters = try (0..<4).map { n in try loop.createTask { try await queue.put(n) } }
      _ = try await gather([taker] + putters)
      while !queue.isEmpty { got.record(try queue.getNoWait()) }
      #expect(got.all == [0, 1, 2, 3])
    }
  }

  @Test("A getter takes from a full queue, and then what putters were waiting to add", arguments: LoopKind.allCases)
  func waitingPutters(kind: LoopKind) async throws {
    try await kind.run { loop in
      let queue = Queue<String>(maxSize: 1)
      let putters = try ["a", "b"].map { text in try loop.createTask { try await queue.put(text) } }
      #expect(try await [queue.get(), queue.get()] == ["a", "b"])
      _ = try await gather(putters)
    }
  }
}

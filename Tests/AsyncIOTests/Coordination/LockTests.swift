import Testing

@testable import AsyncIO

/// `AsyncLock`, `Event`, `Condition` and the semaphores.
@Suite(.timeLimit(.minutes(5)))
struct LockTests {
  /// Let other tasks of the loop run until something holds.
  private static func turnUntil(_ condition: () -> Bool) async throws {
    while !condition() { try await sleep(for: .zero) }
  }

  @Test("A lock goes to the tasks that wait, in order; a newcomer does not overtake", arguments: LoopKind.allCases)
  func lockOrder(kind: LoopKind) async throws {
    try await kind.run { loop in
      let lock = AsyncLock()
      let order = Recorder<Int>()
      try await lock.acquire()
      let tasks = try (0..<4).map { n in
        try loop.createTask { try await lock.withLock { order.record(n) } }
      }
      try await sleep(for: .zero)
      try lock.release()
      #expect(lock.isLocked, "it went to the first who waits")
      try await lock.withLock { order.record(9) }
      _ = try await gather(tasks)
      #expect(order.all == [0, 1, 2, 3, 9])
      #expect(!lock.isLocked)
      expectRefusal(.invalidState) { try lock.release() }
    }
  }

  @Test("A cancelled task leaves the queue; one that has the lock already keeps it", arguments: LoopKind.allCases)
  func lockCancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      let lock = AsyncLock()
      try await lock.acquire()
      let tasks = try (0..<3).map { _ in try loop.createTask { try await lock.acquire() } }
      try await sleep(for: .zero)
      tasks[0].cancel()
      await #expect(throws: CancellationError.self) { try await tasks[0].get() }
      // Handed over and cancelled in one go: the hand-over came first.
      try lock.release()
      tasks[1].cancel()
      try await tasks[1].get()
      #expect(lock.isLocked && !tasks[2].isDone)
      try lock.release()
      try await tasks[2].get()
      try lock.release()
      let late = try loop.createTask {
        withUnsafeCurrentTask { $0?.cancel() }
        try await lock.acquire()
      }
      await #expect(throws: CancellationError.self) { try await late.get() }
      #expect(!lock.isLocked, "a task that was cancelled before takes nothing")
    }
  }

  @Test("Tasks of several loops and of none share a lock")
  func manyLoops() async throws {
    let lock = AsyncLock()
    let semaphore = try Semaphore(2)
    let counter = Counter()
    @Sendable func work() async throws {
      for _ in 0..<200 {
        try await lock.withLock {
          let value = counter.value
          await Task.yield()
          counter.value = value + 1
        }
        try await semaphore.withPermit { await Task.yield() }
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for kind in LoopKind.allCases { group.addTask { try await kind.run { _ in try await work() } } }
      group.addTask { try await work() }
      try await group.waitForAll()
    }
    #expect(counter.value == 200 * (LoopKind.allCases.count + 1))
    #expect(!lock.isLocked && !semaphore.isLocked)
  }

  /// Right because every access is under the lock that is tested.
  private final class Counter: @unchecked Sendable { var value = 0 }

  @Test("Cancellations that race with hand-overs lose no lock and no permit")
  func races() async throws {
    let lock = AsyncLock()
    let semaphore = try BoundedSemaphore(3)
    let queue = Queue<Int>(maxSize: 2)
    for round in 0..<300 {
      let tasks = (0..<6).map { n in
        Task {
          try await lock.withLock { await Task.yield() }
          try await semaphore.withPermit { await Task.yield() }
          try await queue.put(n)
          _ = try await queue.get()
        }
      }
      for n in 0..<3 { tasks[(round + n) % 6].cancel() }
      for task in tasks { _ = await task.result }
      // A task that was cancelled between its put and its get leaves an element.
      while !queue.isEmpty { _ = try queue.getNoWait() }
      #expect(!lock.isLocked)
    }
    for _ in 0..<3 { try await semaphore.acquire() }
    #expect(semaphore.isLocked)
    for _ in 0..<3 { try semaphore.release() }
    expectRefusal(.invalidState) { try semaphore.release() }
  }

  @Test("An event wakes those who wait, even if it is cleared at once", arguments: LoopKind.allCases)
  func event(kind: LoopKind) async throws {
    try await kind.run { loop in
      let event = Event()
      let tasks = try (0..<3).map { _ in try loop.createTask { try await event.wait() } }
      try await sleep(for: .zero)
      tasks[2].cancel()
      event.set()
      event.clear()
      #expect(!event.isSet)
      try await tasks[0].get()
      try await tasks[1].get()
      await #expect(throws: CancellationError.self) { try await tasks[2].get() }
      let late = try loop.createTask { try await event.wait() }
      try await sleep(for: .zero)
      #expect(!late.isDone)
      event.set()
      try await late.get()
      try await event.wait()
    }
  }

  @Test("A condition wakes the given number of tasks, and each has the lock again", arguments: LoopKind.allCases)
  func condition(kind: LoopKind) async throws {
    try await kind.run { loop in
      let condition = Condition()
      let woken = Recorder<Int>()
      let tasks = try (0..<4).map { n in
        try loop.createTask {
          try await condition.withLock {
            try await condition.wait()
            #expect(condition.isLocked)
            woken.record(n)
          }
        }
      }
      try await sleep(for: .zero)
      try await condition.withLock { try condition.notify() }
      try await Self.turnUntil { woken.all.count == 1 }
      try await condition.withLock { try condition.notify(2) }
      try await Self.turnUntil { woken.all.count == 3 }
      try await condition.withLock { try condition.notifyAll() }
      _ = try await gather(tasks)
      #expect(woken.all == [0, 1, 2, 3])
      expectRefusal(.invalidState) { try condition.notify() }
      let error = await #expect(throws: EventLoopError.self) { try await condition.wait() }
      #expect(error?.code == .invalidState)
    }
  }

  @Test("A cancelled wait has the lock again, and passes its notification on", arguments: LoopKind.allCases)
  func conditionCancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      let condition = Condition()
      let woken = Recorder<String>()
      func waiting(_ name: String) throws -> LoopTask<Void> {
        try loop.createTask {
          try await condition.withLock {
            do { try await condition.wait() } catch {
              #expect(condition.isLocked)
              throw error
            }
            woken.record(name)
          }
        }
      }
      let (a, b, c) = (try waiting("a"), try waiting("b"), try waiting("c"))
      try await sleep(for: .zero)
      try await condition.acquire()
      a.cancel()
      try condition.notify()
      // Notified, and cancelled before it has the lock.
      b.cancel()
      try condition.release()
      await #expect(throws: CancellationError.self) { try await a.get() }
      await #expect(throws: CancellationError.self) { try await b.get() }
      try await c.get()
      #expect(woken.all == ["c"] && !condition.isLocked)
    }
  }

  @Test("A condition waits until its predicate holds", arguments: LoopKind.allCases)
  func predicate(kind: LoopKind) async throws {
    try await kind.run { loop in
      let condition = Condition()
      let values = Recorder<Int>()
      let task = try loop.createTask {
        try await condition.withLock { try await condition.wait { values.all.count >= 3 } }
        return values.all
      }
      for n in 0..<3 {
        try await condition.withLock {
          values.record(n)
          try condition.notifyAll()
        }
        try await sleep(for: .zero)
      }
      #expect(try await task.get() == [0, 1, 2])
    }
  }

  @Test("A semaphore lets so many in, in order", arguments: LoopKind.allCases)
  func semaphore(kind: LoopKind) async throws {
    try await kind.run { loop in
      let semaphore = try Semaphore(2)
      let order = Recorder<Int>()
      let tasks = try (0..<5).map { n in
        try loop.createTask {
          try await semaphore.acquire()
          order.record(n)
        }
      }
      try await sleep(for: .zero)
      #expect(order.all == [0, 1] && semaphore.isLocked)
      tasks[2].cancel()
      for _ in 0..<2 { semaphore.release() }
      #expect(semaphore.isLocked, "the permits went to those who wait")
      _ = try await gatherResults(tasks)
      #expect(order.all == [0, 1, 3, 4] && tasks[2].isCancelled)
      for _ in 0..<3 { semaphore.release() }
      #expect(!semaphore.isLocked)
      expectRefusal(.invalidArgument) { try Semaphore(-1) }
      expectRefusal(.invalidArgument) { try BoundedSemaphore(-1) }
      let bounded = try BoundedSemaphore(1)
      try await bounded.withPermit { #expect(bounded.isLocked) }
      expectRefusal(.invalidState) { try bounded.release() }
    }
  }

  @Test("Waiters keep their order when others leave from anywhere")
  func fifo() {
    var numbers = FirstInFirstOut<Int>()
    var next = 0
    var expected: [Int] = []
    for round in 0..<1000 {
      for _ in 0..<(round % 7) {
        numbers.append(next)
        expected.append(next)
        next += 1
      }
      if round % 50 == 49 {
        numbers.keep { $0 % 3 != 0 }
        expected.removeAll { $0 % 3 == 0 }
      }
      for _ in 0..<(round % 5) { #expect(numbers.popFirst() == (expected.isEmpty ? nil : expected.removeFirst())) }
      #expect(numbers.count == expected.count)
    }
  }
}

// Swift's tasks on a loop, and the ways from one to the next.
//
// - spawn: a task makes a task that returns at once, and awaits its value. spawn_on_loop: the same by `createTask`,
//   which names the task and can be asked for all that run.
// - suspend: one of 100 tasks suspends, and a callback of the next turn resumes them all: the task's part of a message
//   over streams. The peer `swift_suspend` does it without a loop.
// - yield: one task gives way to others, of which there are none.
// - actor: a call of an actor that has no executor of its own, and back. actor_pinned: of one that lives on the loop.
// - continuation: the task suspends, and a callback of the next turn resumes it.
// - sleep: a sleep of no time, which takes one turn.
//
// With `--extent scope` the process keeps Swift's own pool, and tasks are sent to the loop by preference, which the
// runtime looks up under a lock whenever it moves one.

import AsyncIO

func spawnTasks(_ bench: Bench) throws {
  let preference = bench.preference
  try bench.measureTask { count in
    var sum = 0
    if let preference {
      for _ in 0..<count { sum += await Task(executorPreference: preference) { 1 }.value }
    } else {
      for _ in 0..<count { sum += await Task { 1 }.value }
    }
    precondition(sum == count)
  }
}

func createTasks(_ bench: Bench) throws {
  let loop = bench.loop
  try bench.measureTask { count in
    var sum = 0
    for _ in 0..<count { sum += try await loop.createTask { 1 }.get() }
    precondition(sum == count)
  }
}

/// The suspended tasks. For the loop's thread alone, which is what makes the unchecked conformance right.
private final class Suspended: @unchecked Sendable {
  private let loop: BaseEventLoop
  @exclusivity(unchecked) private var waiting: [UnsafeContinuation<Void, Never>] = []
  @exclusivity(unchecked) private var resuming: [UnsafeContinuation<Void, Never>] = []

  init(_ loop: BaseEventLoop) { self.loop = loop }

  func suspend(_ count: Int) async throws {
    for _ in 0..<count {
      if waiting.isEmpty { try loop.callSoon { self.resumeAll() } }
      await withUnsafeContinuation { waiting.append($0) }
    }
  }

  private func resumeAll() {
    swap(&waiting, &resuming)
    for continuation in resuming { continuation.resume() }
    resuming.removeAll(keepingCapacity: true)
  }
}

func suspendOften(_ bench: Bench) throws {
  let (loop, preference, atOnce) = (bench.loop, bench.preference, 100)
  try bench.measureTask { count in
    let suspended = Suspended(loop)
    var tasks: [Task<Void, any Error>] = []
    for index in 0..<atOnce {
      let count = (count + index) / atOnce
      // A preference of nil is looked up like any other.
      if let preference {
        tasks.append(Task(executorPreference: preference) { try await suspended.suspend(count) })
      } else {
        tasks.append(Task { try await suspended.suspend(count) })
      }
    }
    for task in tasks { try await task.value }
  }
}

func yieldOften(_ bench: Bench) throws {
  try bench.measureTask { count in
    for _ in 0..<count { await Task.yield() }
  }
}

private actor Counter {
  private(set) var calls = 0
  func call() { calls += 1 }
}

func callActor(_ bench: Bench) throws {
  try bench.measureTask { count in
    let counter = Counter()
    for _ in 0..<count { await counter.call() }
    let calls = await counter.calls
    precondition(calls == count)
  }
}

private actor PinnedCounter {
  private let executor: any SerialExecutor
  private(set) var calls = 0

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(on executor: any SerialExecutor) { self.executor = executor }
  func call() { calls += 1 }
}

func callPinnedActor(_ bench: Bench) throws {
  let executor = bench.loop.serialExecutor
  try bench.measureTask { count in
    let counter = PinnedCounter(on: executor)
    for _ in 0..<count { await counter.call() }
    let calls = await counter.calls
    precondition(calls == count)
  }
}

func resumeContinuation(_ bench: Bench) throws {
  let loop = bench.loop
  try bench.measureTask { count in
    for _ in 0..<count {
      try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
        do { try loop.callSoon { continuation.resume() } } catch { continuation.resume(throwing: error) }
      }
    }
  }
}

func sleepZero(_ bench: Bench) throws {
  try bench.measureTask { count in
    for _ in 0..<count { try await AsyncIO.sleep(for: .zero) }
  }
}

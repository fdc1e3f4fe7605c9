import AsyncIO
import POSIX

nonisolated(unsafe) let lateJobCases: [String: () throws -> Void] = [
  "late-leaves-nothing": lateLeavesNothing,
  "late-job-during-run": lateJobDuringRun,
]

/// An actor that lives on a loop.
private actor Pinned {
  private let loop: BaseEventLoop
  private var count = 0

  init(on loop: BaseEventLoop) { self.loop = loop }

  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

  func increment() -> Int {
    count += 1
    return count
  }
}

/// Loops that are closed under tasks that sleep, wait, are queued, and call actors, over and over.
private func lateLeavesNothing() throws {
  // The platform's executor opens descriptors of its own when it is first used.
  closeUnderTasks(times: 1)
  let descriptors = descriptorCount()
  closeUnderTasks(times: 50)
  fact("counters", "zero")
  fact("descriptors", descriptorCount() - descriptors)
}

private func closeUnderTasks(times: Int) {
  let done = DoneFlag()
  Task.detached {
    for _ in 0..<times { try await closeUnderTasks() }
    done.set()
  }
  done.wait()
  // A task is done a moment before its closure and what that holds are gone. If they stay, the alarm ends this.
  while LiveCounters.snapshot.values.contains(where: { $0 != 0 }) { sched_yield() }
}

private func closeUnderTasks() async throws {
  let loop = try SelectorEventLoop()
  let actor = Pinned(on: loop)
  let sleeping = try loop.createTask { try await sleep(for: .seconds(3600)) }
  let runtimeSleeping = try loop.createTask { try await Task.sleep(for: .milliseconds(1)) }
  let never: Future<Void> = loop.createFuture()
  let waiting = try loop.createTask { try await never.get() }
  let calling = try loop.createTask { () -> Int in
    var last = 0
    while last < 200 { last = await actor.increment() }
    return last
  }
  try await loop.run { try await sleep(for: .zero) }
  let queued = try loop.createTask { await actor.increment() }
  try loop.close()
  never.cancel()
  _ = try? await sleeping.get()
  _ = try await runtimeSleeping.get()
  _ = try? await waiting.get()
  _ = try await calling.get()
  _ = try await queued.get()
}

/// A job of an earlier whole-process loop that comes while a later one runs: it runs there.
private func lateJobDuringRun() throws {
  let notes = Notes()
  let old = try AsyncIO.run { try getRunningLoop().taskExecutor }
  try AsyncIO.run {
    Task(executorPreference: old) { notes.add("preferred the old loop") }
    try await notes.untilCount(1)
    fact("notes", notes.all)
    fact("on the main thread", notes.wereOnMainThread)
    fact("threads", threadCount())
  }
}

import AsyncIO
import POSIX

nonisolated(unsafe) let takeOverCases: [String: () throws -> Void] = [
  "one-thread": oneThread,
  "late-global": lateGlobal,
  "late-detached": lateDetached,
  "run-inside-run": runInsideRun,
  "run-inside-task": runInsideTask,
  "run-awaited": runAwaited,
  "run-beside-run": runBesideRun,
  "two-runs": twoRuns,
  "parked-main-actor": parkedMainActor,
  "sleep-across-runs": sleepAcrossRuns,
]

private actor Ordinary {
  private var count = 0

  func isOnMainThread() -> Bool {
    count += 1
    return isMainThread()
  }
}

@concurrent private func concurrent() async -> Bool { isMainThread() }

@MainActor private func mainActor() -> Bool {
  MainActor.preconditionIsolated()
  return isMainThread()
}

/// Everything that Swift can start, and where it ran.
private func oneThread() throws {
  let value = try AsyncIO.run {
    fact("body", isMainThread())
    fact("main actor", await mainActor())
    fact("task", await Task { isMainThread() }.value)
    fact("task on the main actor", await Task { @MainActor in isMainThread() }.value)
    fact("detached", await Task.detached { isMainThread() }.value)
    fact("detached low", await Task.detached(priority: .background) { isMainThread() }.value)
    fact("default actor", await Ordinary().isOnMainThread())
    fact("concurrent function", await concurrent())
    async let child = isMainThread()
    fact("async let", await child)
    let members = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<100 { group.addTask { isMainThread() } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    fact("group", members == Array(repeating: true, count: 100))
    try await Task.sleep(for: .milliseconds(1))
    fact("after Task.sleep", isMainThread())
    try await sleep(for: .milliseconds(1))
    fact("after sleep", isMainThread())
    await Task.yield()
    fact("after yield", isMainThread())
    fact("threads", threadCount())
    return 42
  }
  fact("value", value)
}

private let early = Task { 7 }

/// A task that a global has started: the runtime has its executors already.
private func lateGlobal() throws {
  let task = early
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  fact("refusal") { try AsyncIO.run { fact("body", "ran") } }
  fact("context was touched", policy.calls.contains { $0.hasPrefix("set") })
  // The program goes on, and has the other way.
  let loop = try newEventLoop()
  fact("loop.run", try loop.run { await task.value })
  try loop.close()
}

private func lateDetached() throws {
  let done = DoneFlag()
  Task.detached { done.set() }
  done.wait()
  let policy = ObservedPolicy()
  try withEventLoopPolicy(policy) {
    fact("refusal") { try AsyncIO.run { fact("body", "ran") } }
    fact("context was touched", policy.calls.contains { $0.hasPrefix("set") })
    let loop = try newEventLoop()
    fact("loop.run", try loop.run { 7 })
    try loop.close()
  }
}

/// Blocks a thread until another says so.
final class DoneFlag: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }
  deinit { semaphore.deallocate() }

  func set() { sem_post(semaphore) }
  func wait() { while sem_wait(semaphore) != 0 && errno == EINTR {} }
}

private func runInsideRun() throws {
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  try AsyncIO.run {
    let outer = try getRunningLoop()
    fact("refusal") { try AsyncIO.run { fact("body", "ran") } }
    fact("outer still runs", try getRunningLoop() === outer)
    try await sleep(for: .zero)
    fact("outer went on", true)
  }
  fact("calls", policy.calls)
}

/// Another thread, which is in no task and runs no loop, asks for the process while it is taken.
private func runBesideRun() throws {
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  try AsyncIO.run {
    let loop = try getRunningLoop()
    let other = try loop.runInExecutor { fact("refusal") { try AsyncIO.run { fact("body", "ran") } } }
    try await other.get()
    fact("still has the process", await Task.detached { isMainThread() }.value)
    // A loop that does not want the process may run there.
    let scoped = try loop.runInExecutor {
      let loop = try SelectorEventLoop()
      defer { try? loop.close() }
      return try loop.run { try getRunningLoop() === loop && !isMainThread() }
    }
    fact("scoped loop", try await scoped.get())
  }
  fact("calls", policy.calls)
}

private func runInsideTask() throws {
  let done = DoneFlag()
  Task.detached {
    fact("refusal") { try AsyncIO.run { fact("body", "ran") } }
    fact("no loop") { _ = try getRunningLoop() }
    let loop = try SelectorEventLoop()
    fact("loop refusal", refusalOf: synchronousRun(of: loop))
    fact("loop.run", try await loop.run { 3 })
    try loop.close()
    done.set()
  }
  done.wait()
}

private struct Escaping: Error {}

/// The form for code that is in a task already: its loop is another one's thread's, and everything ends with it.
private func runAwaited() throws {
  let done = DoneFlag()
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  let notes = Notes()
  Task.detached {
    do { try await sleep(for: .zero) } catch { fact("before", error) }
    do {
      let loop = try await AsyncIO.run {
        let loop = try getRunningLoop()
        fact("calls", policy.calls)
        fact("current", try getEventLoop() === loop)
        try loop.createTask {
          do { try await sleep(for: .seconds(3600)) } catch { notes.add("cleaned up") }
        }
        fact("in an executor", try await loop.runInExecutor { 5 }.get())
        fact("inside", try await AsyncIO.run { try getRunningLoop() !== loop })
        return loop
      }
      fact("closed", loop.isClosed)
      fact("notes", notes.all)
      fact("calls after", policy.calls.count)
      try await AsyncIO.run { throw Escaping() }
    } catch { fact("error", type(of: error)) }
    do { try await AsyncIO.run { throw KeyboardInterrupt() } } catch { fact("interrupt", type(of: error)) }
    do {
      try await AsyncIO.run {
        let loop = try getRunningLoop()
        loop.stop()
        do { try await sleep(for: .seconds(3600)) } catch { notes.add("stopped") }
      }
    } catch { fact("stop", (error as? EventLoopError)?.code ?? .closed) }
    let cancelled = Task.detached {
      try await AsyncIO.run { try await sleep(for: .seconds(3600)) }
    }
    cancelled.cancel()
    do { try await cancelled.value } catch { fact("cancelled", type(of: error)) }
    fact("all notes", notes.all)
    done.set()
  }
  done.wait()
  fact("threads", threadCount())
}

/// The synchronous overload, which an asynchronous context would not choose.
private func synchronousRun(of loop: BaseEventLoop) -> () throws -> Void {
  { try loop.run { fact("loop body", "ran") } }
}

/// What is started between two runs waits for the second one.
private func twoRuns() throws {
  let notes = Notes()
  let first = try AsyncIO.run { try getRunningLoop() }
  Task { notes.add("task") }
  Task { @MainActor in notes.add("main actor") }
  Task.detached { notes.add("detached") }
  fact("threads between", threadCount())
  fact("ran between", notes.all)
  try AsyncIO.run {
    fact("another loop", try getRunningLoop() !== first && first.isClosed)
    try await notes.untilCount(3)
    fact("ran in the second run", notes.all)
    fact("on the main thread", notes.wereOnMainThread)
    fact("default executor is the second loop", await Task.detached { isMainThread() }.value)
    fact("threads", threadCount())
  }
}

/// A main actor's task is suspended in one run and resumed in a later one, when the first loop is long gone.
private func parkedMainActor() throws {
  let notes = Notes()
  let place = Place()
  try AsyncIO.run {
    Task { @MainActor in
      await withUnsafeContinuation { place.continuation = $0 }
      MainActor.preconditionIsolated()
      notes.add("resumed")
    }
    while place.continuation == nil { try await sleep(for: .zero) }
  }
  // Other runs come and go. What memory the first one gave back is somebody else's then.
  for _ in 0..<3 {
    try AsyncIO.run {
      for size in stride(from: 16, through: 128, by: 8) {
        for _ in 0..<200 { fillers.append(memset(malloc(size)!, 0xA5, size)) }
      }
    }
  }
  place.continuation?.resume()
  fact("before", notes.all)
  try AsyncIO.run {
    try await notes.untilCount(1)
    fact("after", notes.all)
    fact("on the main thread", notes.wereOnMainThread)
  }
  for filler in fillers { free(filler) }
}

/// What the case above took, to be given back: written by one run at a time, in the main thread.
nonisolated(unsafe) private var fillers: [UnsafeMutableRawPointer] = []

/// A sleep that is under way when its run ends is not over early in the next one.
private func sleepAcrossRuns() throws {
  let notes = Notes()
  let clock = ContinuousClock()
  let start = clock.now
  try AsyncIO.run {
    Task {
      try await Task.sleep(for: .milliseconds(80))
      notes.add("\(clock.now - start >= .milliseconds(80))")
    }
    try await sleep(for: .zero)
  }
  try AsyncIO.run {
    try await notes.untilCount(1)
    fact("slept its time", notes.all)
  }
}

private final class Place: @unchecked Sendable {
  // Right because everything here happens in the main thread.
  var continuation: UnsafeContinuation<Void, Never>?
}

/// What tasks of a run did, and where.
final class Notes: Sendable {
  private let state = Lock<(all: [String], onMainThread: Bool)>(([], true))

  func add(_ note: String) {
    state.withLock {
      $0.all.append(note)
      $0.onMainThread = $0.onMainThread && isMainThread()
    }
  }

  var all: [String] { state.withLock { $0.all.sorted() } }
  var wereOnMainThread: Bool { state.withLock { $0.onMainThread } }

  /// Turn the loop until this many notes are there; the alarm ends a program whose notes never come.
  func untilCount(_ count: Int) async throws {
    while all.count < count { try await sleep(for: .zero) }
  }
}

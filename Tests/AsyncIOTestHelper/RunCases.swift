import AsyncIO
import AsyncIOConformance
import POSIX

nonisolated(unsafe) let runCases: [String: () throws -> Void] = [
  "run-with-policy": runWithPolicy,
  "run-with-factory": runWithFactory,
  "run-ends-its-tasks": runEndsItsTasks,
  "run-reports-leftovers": runReportsLeftovers,
  "run-interrupted": runInterrupted,
  "run-stopped": runStopped,
  "program": { Program.main() },
  "program-fails": { FailingProgram.main() },
  "leaves-nothing": leavesNothing,
  "runs-by-the-thousand": runsByTheThousand,
  "main-actor-across-runs": mainActorAcrossRuns,
]

private struct Failure: Error {}

private func runWithPolicy() throws {
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  try AsyncIO.run {
    fact("during", policy.calls)
    fact("debug", try getRunningLoop().isDebug)
  }
  fact("after", policy.calls)
  fact("get") { _ = try getEventLoop() }
  do { try AsyncIO.run(debug: true) { throw Failure() } } catch { fact("error", type(of: error)) }
  fact("after an error", policy.calls)
  try AsyncIO.run(debug: true) { fact("debug asked for", try getRunningLoop().isDebug) }
}

private func runWithFactory() throws {
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  let loop = SelectorEventLoop(selector: try Selectors.poll())
  try AsyncIO.run(loopFactory: { loop }) {
    fact("runs the factory's loop", try getRunningLoop() === loop)
    fact("has the process", await Task.detached { isMainThread() }.value)
  }
  fact("calls", policy.calls)
  fact("closed", loop.isClosed)
  do { try AsyncIO.run(loopFactory: { throw Failure() }) {} } catch { fact("factory's error", type(of: error)) }
}

/// Tasks that `createTask` made are cancelled and awaited before the run returns.
private func runEndsItsTasks() throws {
  let notes = Notes()
  try AsyncIO.run {
    for name in ["a", "b"] {
      try getRunningLoop().createTask {
        do { try await sleep(for: .seconds(3600)) } catch {
          // A clean-up that suspends is still waited for.
          await Task.yield()
          notes.add("\(name) cleaned up")
          throw error
        }
      }
    }
    try await sleep(for: .zero)
  }
  fact("notes", notes.all)
  fact("sleepers", LiveCounters.snapshot["sleepers"] ?? -1)
}

/// A task that is left over fails while it is cancelled: nobody awaits it, so the loop is told.
private func runReportsLeftovers() throws {
  try AsyncIO.run {
    let loop = try getRunningLoop()
    loop.exceptionHandler = { _, context in
      fact("report", context.message)
      fact("error", context.exception.map { "\(type(of: $0))" } ?? "none")
      fact("task", context.task ?? "none")
    }
    try loop.createTask(name: "careless") {
      do { try await sleep(for: .seconds(3600)) } catch { throw Failure() }
    }
    try await sleep(for: .zero)
  }
}

/// Whatever ends a run, its code is cancelled and awaited before the run returns.
private func runInterrupted() throws {
  try endEarly { loop in
    try loop.callSoon { throw KeyboardInterrupt() }
  }
}

private func runStopped() throws {
  try endEarly { loop in loop.stop() }
}

private func endEarly(_ end: @escaping @Sendable (any EventLoop) throws -> Void) throws {
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  let notes = Notes()
  @Sendable func untilCancelled(_ name: String) async throws {
    do { try await sleep(for: .seconds(3600)) } catch {
      await Task.yield()
      notes.add("\(name) cleaned up")
      throw error
    }
  }
  do {
    try AsyncIO.run {
      let loop = try getRunningLoop()
      try loop.createTask { try await untilCancelled("task") }
      try end(loop)
      try await untilCancelled("body")
    }
    fact("ended with", "nothing")
  } catch let error as EventLoopError {
    fact("ended with", error.code)
  } catch { fact("ended with", type(of: error)) }
  fact("notes", notes.all)
  fact("calls", policy.calls)
  fact("again", try AsyncIO.run { 5 })
}

private struct Program: AsyncProgram {
  private static let observed = ObservedPolicy()

  static var policy: any EventLoopPolicy { observed }

  static func run() async throws {
    fact("calls", observed.calls)
    fact("policy", getEventLoopPolicy() === observed)
    fact("seen in a task", await Task { getEventLoopPolicy() === observed }.value)
    fact("main thread", isMainThread())
    fact("threads", threadCount())
  }
}

private struct FailingProgram: AsyncProgram {
  struct OutOfCoffee: Error, CustomStringConvertible { let description = "no coffee left" }

  static func run() async throws {
    try await sleep(for: .zero)
    throw OutOfCoffee()
  }
}

/// Count what is alive before and after a lot of everything that ended well, badly, or not at all.
private func leavesNothing() throws {
  // The thread sanitizer has a thread of its own, from the first thread on.
  let own = dlsym(nil, "__tsan_init") == nil ? 1 : 2
  try useEverything()
  settle(own)
  let (descriptors, threads, before) = (descriptorCount(), threadCount(), LiveCounters.snapshot)
  for _ in 0..<50 { try useEverything() }
  settle(own)
  fact("descriptors", descriptorCount() - descriptors)
  fact("threads", threadCount() - threads)
  fact("counters", LiveCounters.snapshot == before ? "same" : "\(LiveCounters.snapshot)")
}

/// Wait for threads of pools, which end a moment after the run that shut them down, and for what they hold. If
/// something stays, the alarm ends this.
func settle(_ own: Int) {
  while threadCount() > own || LiveCounters.snapshot.values.contains(where: { $0 != 0 }) { sched_yield() }
}

private func useEverything() throws {
  try AsyncIO.run {
    let loop = try getRunningLoop()
    try loop.callLater(.seconds(3600)) {}
    try loop.callLater(.seconds(3600)) {}.cancel()
    _ = loop.createFuture(of: Int.self)
    Task { try await Task.sleep(for: .nanoseconds(1)) }
    let value = try loop.createTask { try await loop.runInExecutor { 5 }.get() }
    let five = try await value.get()
    precondition(five == 5)
    try loop.createTask { try await sleep(for: .seconds(3600)) }
    do { try await withTimeout(.microseconds(1)) { try await sleep(for: .seconds(3600)) } } catch is TimeoutError {}
    try loop.callSoon {}
  }
}

/// The memory that runs leave behind.
private func runsByTheThousand() throws {
  func many(_ count: Int) throws {
    for _ in 0..<count { try AsyncIO.run { await Task { @MainActor in }.value } }
    for _ in 0..<count / 20 { _ = try AsyncIO.run(loops: 2) { _ in await Task { @MainActor in }.value } }
  }
  try many(2000)
  let before = residentKiB()
  try many(8000)
  fact("KiB", residentKiB() - before)
}

private func residentKiB() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var (all, resident) = (0, 0)
  withUnsafeMutablePointer(to: &all) { all in
    withUnsafeMutablePointer(to: &resident) { resident in
      _ = withVaList([all, resident]) { vfscanf(file, "%ld %ld", $0) }
    }
  }
  return resident * 4
}

@MainActor private var visits = 0

/// A function of the main actor that waits goes on in whatever run comes next, and there in the main actor.
private func mainActorAcrossRuns() throws {
  let gate = Waiting()
  try AsyncIO.run {
    for _ in 0..<3 {
      Task { @MainActor in
        for _ in 0..<40 {
          await gate.pass()
          MainActor.preconditionIsolated()
          visits += isMainThread() ? 1 : 1000
        }
      }
    }
    while gate.count < 3 { try await sleep(for: .zero) }
  }
  for _ in 0..<20 {
    // Between two runs, from another thread, and inside of one.
    CheckThread { gate.open() }.join()
    try AsyncIO.run {
      while gate.count < 3 { try await sleep(for: .zero) }
      gate.open()
      while gate.count < 3, await visits < 120 { try await sleep(for: .zero) }
    }
  }
  try AsyncIO.run { fact("visits", await visits) }
}

/// Tasks that wait to be let on.
private final class Waiting: Sendable {
  private let waiting = Lock<[UnsafeContinuation<Void, Never>]>([])

  var count: Int { waiting.withLock { $0.count } }

  func pass() async { await withUnsafeContinuation { waiter in waiting.withLock { $0.append(waiter) } } }

  func open() {
    let all = waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    for waiter in all { waiter.resume() }
  }
}

import AsyncIO
import Glibc
import Logging
import Synchronization

nonisolated(unsafe) let policyCases: [String: () throws -> Void] = [
  "create-in-main-thread": createInMainThread,
  "strict-in-main-thread": strictInMainThread,
  "set-nil-ends-creation": setNilEndsCreation,
  "process-policy": processPolicy,
  "concurrent-first-use": concurrentFirstUse,
  "replace-while-running": replaceWhileRunning,
  "loop-kind": loopKind,
  "loop-kind-reread": loopKindReread,
  "proactor-denied": proactorDenied,
]

/// Keeps what is logged, so that warnings can be counted.
private struct RecordingLogHandler: LogHandler {
  static let lines = Lock<[String]>([])

  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    Self.lines.withLock { $0.append("\(event.level): \(event.message)") }
  }
}

private func createInMainThread() throws {
  LoggingSystem.bootstrap { _ in RecordingLogHandler() }
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  let first = try getEventLoop()
  let second = try getEventLoop()
  fact("same", first === second)
  fact("calls", policy.calls)
  fact("runs", try first.run { 7 })
  try first.close()
  fact("closed stays current", try getEventLoop() === first)
  // The other way to a warning: a second creation. The context is what says "never set", so it takes a new policy.
  let warnings = RecordingLogHandler.lines.withLock { $0.filter { $0.contains("deprecated") } }
  fact("warnings", warnings.count)
  fact("warning", warnings.first ?? "")
}

private func strictInMainThread() throws {
  setEventLoopPolicy(DefaultEventLoopPolicy(creation: .never))
  fact("unset") { _ = try getEventLoop() }
  let loop = try newEventLoop()
  fact("after new") { _ = try getEventLoop() }
  setEventLoop(loop)
  fact("set is current", try getEventLoop() === loop)
  setEventLoop(nil)
  fact("after set(nil)") { _ = try getEventLoop() }
  try loop.close()
}

private func setNilEndsCreation() throws {
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  setEventLoop(nil)
  fact("get") { _ = try getEventLoop() }
  fact("calls", policy.calls)
  // The policies know their contexts apart: what was set in one does not end creation in another.
  setEventLoopPolicy(nil)
  let created = try getEventLoop()
  setEventLoop(nil)
  fact("get after creation") { _ = try getEventLoop() }
  try created.close()
}

private func processPolicy() throws {
  let first = getEventLoopPolicy()
  fact("default kind", type(of: first))
  let loop = try newEventLoop()
  setEventLoop(loop)

  let mine = ObservedPolicy()
  setEventLoopPolicy(mine)
  fact("seen here", getEventLoopPolicy() === mine)
  let seen = Lock<(any EventLoopPolicy)?>(nil)
  runThreads(1) { _ in seen.withLock { $0 = getEventLoopPolicy() } }
  fact("seen in another thread", seen.withLock { $0 } === mine)

  setEventLoopPolicy(nil)
  let fresh = getEventLoopPolicy()
  fact("fresh", fresh !== first && fresh !== mine && fresh === getEventLoopPolicy())
  fact("fresh kind", type(of: fresh))
  // What the old default knew about this thread is gone with it.
  let created = try getEventLoop()
  fact("old context is gone", created !== loop)
  try created.close()
  try loop.close()
}

private func concurrentFirstUse() throws {
  let count = 64
  let barrier = Atomic<Int>(0)
  let seen = Lock<[any EventLoopPolicy]>([])
  runThreads(count) { _ in
    // All at once, as near as threads can get.
    barrier.add(1, ordering: .acquiringAndReleasing)
    while barrier.load(ordering: .acquiring) < count { sched_yield() }
    let policy = getEventLoopPolicy()
    seen.withLock { $0.append(policy) }
  }
  let policies = seen.withLock { $0 }
  fact("asked", policies.count)
  fact("policies", Set(policies.map { ObjectIdentifier($0) }).count)
}

private func replaceWhileRunning() throws {
  let loop = try newEventLoop()
  setEventLoop(loop)
  try loop.callSoon {
    let replacement = ObservedPolicy()
    setEventLoopPolicy(replacement)
    fact("running loop unchanged", try getRunningLoop() === loop)
    fact("current loop unchanged", try getEventLoop() === loop)
    fact("policy not asked", replacement.calls.isEmpty)
    fact("policy replaced", getEventLoopPolicy() === replacement)
    loop.stop()
  }
  try loop.runForever()
  fact("went to its end", loop.isRunning == false)
  try loop.close()
}

private func loopKind() throws {
  fact("names", EventLoopKinds.names.joined(separator: ","))
  fact("refusal") {
    let loop = try newEventLoop()
    fact("kind", type(of: loop))
    fact("backend", (loop as? BaseEventLoop)?.backendName ?? "none")
    fact("debug", loop.isDebug)
    try loop.close()
  }
}

private func loopKindReread() throws {
  func backend() throws -> String {
    let loop = try newEventLoop()
    defer { try? loop.close() }
    return (loop as? BaseEventLoop)?.backendName ?? "none"
  }
  fact("before", try backend())
  setenv("ASYNCIO_EVENT_LOOP", "poll", 1)
  fact("same policy", try backend())
  setEventLoopPolicy(nil)
  fact("after restore", try backend())
}

/// Everything that asks for a proactor loop where there is none.
private func proactorDenied() throws {
  LoggingSystem.bootstrap { _ in RecordingLogHandler() }
  fact("refusal") { _ = try ProactorEventLoop() }
  fact("refusal by name") { _ = try EventLoopKinds.make("proactor") }
  func use(_ loop: any EventLoop) throws -> String {
    defer { try? loop.close() }
    let slept = try loop.run {
      try await sleep(for: .microseconds(1))
      return try getRunningLoop() === loop
    }
    return "\(type(of: loop)): \(slept ? "works" : "does not work")"
  }
  // Twice each: the log says it once for all of them.
  for _ in 0..<2 {
    fact("by policy", try use(ProactorEventLoopPolicy().newEventLoop()))
    fact("by variable", try use(newEventLoop()))
  }
  let lines = RecordingLogHandler.lines.withLock { $0 }
  fact("log lines", lines.count)
  fact("log line", lines.first ?? "")
}

/// Runs the body in so many threads at a time and waits for all.
private func runThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Start: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }
  var threads: [pthread_t] = []
  for index in 0..<count {
    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(index, body)).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { argument in
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        start.body(start.index)
        return nil
      }, start)
    precondition(status == 0, "no thread")
    threads.append(thread)
  }
  for thread in threads { pthread_join(thread, nil) }
}

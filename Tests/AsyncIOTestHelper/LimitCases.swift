import AsyncIO
import POSIX
import SystemPackage

nonisolated(unsafe) let limitCases: [String: () throws -> Void] = [
  "limit-sweep": sweep,
  "limit-run": runAtTheLimit,
  "limit-pool": poolAtTheLimit,
  "limit-late-jobs": lateJobsAtTheLimit,
  "limit-late-jobs-without-loop": lateJobsWithoutLoopAtTheLimit,
  "limit-child-left": childLeftAtTheLimit,
  "limit-child-alive": childAliveAtTheLimit,
  "limit-child-unwatched": childUnwatchedAtTheLimit,
]

private var limit: Limit { Limit(rawValue: getenv("LIMIT").map { String(cString: $0) } ?? "") ?? .threads }

private typealias Entry = (name: String, body: @Sendable () async throws -> String)

/// Everything that asks the system for something, on the running loop.
private func entries(port: UInt16) -> [Entry] {
  [
    ("toThread", { try await toThread { "1" } }),
    ("runInExecutor", { try await getRunningLoop().runInExecutor { "1" }.get() }),
    (
      "getaddrinfo",
      {
        let found = try await getRunningLoop().getaddrinfo(host: "localhost", port: 80)
        return found.isEmpty ? "nothing" : "found"
      }
    ),
    (
      "getnameinfo",
      { try await getRunningLoop().getnameinfo(SocketAddress(ipLiteral: "127.0.0.1", port: 80)!).service }
    ),
    (
      "connect by name",
      {
        try await StreamConnection.connect(host: "localhost", port: port).close()
        return "connected"
      }
    ),
    (
      "connect by address",
      {
        try await StreamConnection.connect(host: "127.0.0.1", port: port).close()
        return "connected"
      }
    ),
    (
      "bind",
      {
        try await StreamListener.bind(host: "127.0.0.1", port: 0).close()
        return "bound"
      }
    ),
    (
      "datagrams",
      {
        try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0).close()
        return "bound"
      }
    ),
    ("child", { "\(try await ChildProcess.run("true").status)" }),
    (
      "child watched by a thread",
      { try await ChildWatching.$isByThread.withValue(true) { "\(try await ChildProcess.run("true").status)" } }
    ),
    (
      "child with pipes",
      { "\(try await ChildProcess.run("echo", ["hello"], standardOutput: .pipe).status)" }
    ),
    ("process descriptors", { "\(ChildWatching.hasProcessDescriptors)" }),
    (
      "signal handler",
      {
        let loop = try getRunningLoop()
        let called: Future<Void> = loop.createFuture()
        try loop.addSignalHandler(SIGUSR1) { called.cancel() }
        kill(getpid(), SIGUSR1)
        _ = try? await called.get()
        // A test that was not called has run out of time here.
        try Task.checkCancellation()
        return "called: \(loop.removeSignalHandler(SIGUSR1))"
      }
    ),
    ("new loop", { try anotherLoop { _ in "made" } }),
    (
      "run of another loop",
      {
        let loop = try newEventLoop()
        defer { try? loop.close() }
        return "\(try await loop.run { 5 })"
      }
    ),
    (
      "ring",
      {
        try ProactorEventLoop().close(); return "made"
      }
    ),
    (
      "timer",
      {
        try await sleep(for: .milliseconds(1))
        return "slept"
      }
    ),
  ]
}

private func anotherLoop(_ body: (any EventLoop) throws -> String) throws -> String {
  let loop = try newEventLoop()
  defer { try? loop.close() }
  return try body(loop)
}

/// All entries without the resource, and once more with it.
private func sweep() throws {
  let limit = limit
  try AsyncIO.run {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    let entries = entries(port: listener.port)
    limit.take()
    if limit != .descriptors { fact("refuses", Limit.refusesThreads) }
    for (name, body) in entries { fact(name, await outcome(body)) }
    limit.giveBack()
    for (name, body) in entries { fact("again: \(name)", await outcome(body)) }
    listener.close()
  }
  fact("ended", true)
}

func outcome(_ body: @escaping @Sendable () async throws -> String) async -> String {
  do {
    // Whatever is refused is refused at once; a wait that does not end is a fault.
    return try await withTimeout(.seconds(10)) { try await body() }
  } catch let error as IOError {
    return "IOError \(error.errno.rawValue): \(error)"
  } catch {
    return "\(type(of: error)): \(error)"
  }
}

private func runAtTheLimit() throws {
  limit.take()
  do {
    fact("loops", try AsyncIO.run(loops: 2) { _ in 1 })
  } catch {
    fact("loops", error)
  }
  do {
    fact("run", try AsyncIO.run { 1 })
  } catch {
    fact("run", error)
  }
  limit.giveBack()
  fact("loops again", try AsyncIO.run(loops: 2) { _ in 1 })
}

/// A pool that has a thread lets all work wait for it.
private func poolAtTheLimit() throws {
  try AsyncIO.run {
    let loop = try getRunningLoop()
    let gate = ThreadGate()
    let first = try loop.runInExecutor { gate.wait() }
    limit.take()
    fact("refuses", Limit.refusesThreads)
    let others = try (0..<20).map { number in try loop.runInExecutor { number } }
    try await sleep(for: .milliseconds(10))
    fact("waiting", others.filter { !$0.isDone }.count)
    gate.open()
    try await first.get()
    fact("values", try await gather(others).reduce(0, +))
    // The leak sanitizer needs a thread at the end.
    limit.giveBack()
  }
}

/// An actor that lives on a loop.
private actor Pinned {
  private let loop: BaseEventLoop
  private var count = 0

  init(on loop: BaseEventLoop) { self.loop = loop }

  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

  func increment() -> Int {
    preconditionIsolated()
    count += 1
    return count
  }
}

/// Jobs of an actor whose loop is closed, from the tasks of another loop.
private func lateJobsAtTheLimit() throws {
  try AsyncIO.run {
    let closed = try SelectorEventLoop()
    let actor = Pinned(on: closed)
    try closed.close()
    limit.take()
    fact("refuses", Limit.refusesThreads)
    let tasks = try (0..<50).map { _ in try getRunningLoop().createTask { await actor.increment() } }
    fact("largest", try await gather(tasks).max() ?? 0)
    limit.giveBack()
    fact("next", await actor.increment())
  }
}

/// The same from a task of the runtime's own pool, and no loop runs.
private func lateJobsWithoutLoopAtTheLimit() throws {
  let closed = try SelectorEventLoop()
  let actor = Pinned(on: closed)
  try closed.close()
  let (done, ended) = (DoneFlag(), DoneFlag())
  // The runtime's executor asks for a thread again and again. (In this one, so that there is one to lift the limit.)
  Task.detached {
    limit.take()
    fact("refuses", Limit.refusesThreads)
    done.set()
    for _ in 0..<20 { _ = await actor.increment() }
    fact("count", await actor.increment())
    ended.set()
  }
  done.wait()
  while LiveCounters.lateJobs == 0 { sched_yield() }
  limit.giveBack()
  ended.wait()
}

/// A loop is closed while its child lives: the child is killed, and its status taken.
private func childLeftAtTheLimit() throws {
  // Only who runs as the same user may be killed.
  Limit.becomeOrdinaryUser()
  let loop = try newEventLoop()
  let child = try loop.run { try await ChildProcess.spawn("sleep", ["1000"]) }
  limit.take()
  fact("refuses", Limit.refusesThreads)
  try loop.close()
  fact("is gone", kill(child.processIdentifier, 0) != 0)
  limit.giveBack()
}

import AsyncIO
import POSIX

nonisolated(unsafe) let loopsCases: [String: () throws -> Void] = [
  "loops-places": loopsPlaces,
  "loops-costs": loopsCosts,
  "loops-actors": loopsActors,
  "loops-shared": loopsShared,
  "loops-run-on": loopsRunOn,
  "loops-policy": loopsPolicy,
  "loops-one": loopsOne,
  "loops-again": loopsAgain,
]

/// Everything that Swift can start, and on which of the loops it ran.
private func loopsPlaces() throws {
  let values = try AsyncIO.run(loops: 3) { group in
    let loop = group.loop
    @Sendable func isHere() -> Bool { (try? getRunningLoop()) === loop }
    func note(_ name: String, _ value: Any) { fact("\(group.index) \(name)", value) }
    note("body", isHere())
    note("main thread", isMainThread())
    note("thread", threadName())
    note("task", await Task { isHere() }.value)
    note("detached", await Task.detached { isHere() }.value)
    note("default actor", await Placed().isHere(loop))
    note("concurrent function", await isHereConcurrently(loop))
    async let child = isHere()
    note("async let", await child)
    let members = await withTaskGroup(of: Bool.self) { tasks in
      for _ in 0..<100 { tasks.addTask { isHere() } }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    note("group", members == Array(repeating: true, count: 100))
    let slept = Task {
      try await Task.sleep(for: .milliseconds(1))
      return isHere()
    }
    note("task after Task.sleep", try await slept.value)
    try await Task.sleep(for: .milliseconds(1))
    note("after Task.sleep", isHere())
    try await sleep(for: .milliseconds(1))
    note("after sleep", isHere())
    note("createTask", try await loop.createTask { isHere() }.get())
    note("main actor", await onMainActor())
    note("after the main actor", isHere())
    let elsewhere = group.loops[(group.index + 1) % group.count]
    note("elsewhere", try await elsewhere.runCoroutineThreadsafe { try getRunningLoop() === elsewhere }.get())
    note("after elsewhere", isHere())
    return group.index * 10
  }
  fact("values", values)
  fact("threads", threadCount())
}

private func threadName() -> String {
  let file = open("/proc/thread-self/comm", O_RDONLY)
  defer { close(file) }
  var name = [UInt8](repeating: 0, count: 16)
  let count = read(file, &name, name.count)
  return String(decoding: name.prefix(max(0, count - 1)), as: UTF8.self)
}

private actor Placed {
  private var count = 0

  func isHere(_ loop: any EventLoop) -> Bool {
    count += 1
    return (try? getRunningLoop()) === loop
  }

  func increment() -> Int {
    count += 1
    return count
  }
}

@concurrent private func isHereConcurrently(_ loop: any EventLoop) async -> Bool { (try? getRunningLoop()) === loop }

@MainActor private func onMainActor() -> Bool {
  MainActor.preconditionIsolated()
  return isMainThread()
}

/// How many times awaits of a plain task go through its loop's queue: of one that has the process, and of one of two,
/// to which the router brings it.
private func loopsCosts() throws {
  try AsyncIO.run { try await tellCosts("one", getRunningLoop()) }
  try AsyncIO.run(loops: 2) { group in
    if group.index == 1 { await tellCosts("two", group.loop) }
  }
}

private func tellCosts(_ name: String, _ loop: any EventLoop) async {
  guard let loop = loop as? BaseEventLoop else { return }
  await Task {
    let actor = Placed()
    let start = loop.enqueueCount
    await withUnsafeContinuation { $0.resume() }
    let continuation = loop.enqueueCount
    await withTaskCancellationHandler {
    } onCancel: {
    }
    let handler = loop.enqueueCount
    _ = await isHereConcurrently(loop)
    let function = loop.enqueueCount
    _ = await actor.increment()
    let call = loop.enqueueCount
    try? await Task.sleep(for: .nanoseconds(1))
    await withUnsafeContinuation { $0.resume() }
    let sleep = loop.enqueueCount
    fact(name, [continuation - start, handler - continuation, function - handler, call - function, sleep - call])
  }.value
}

/// Two loops call one actor as fast as they can: no increment is lost, tasks of `createTask` are on their loop after
/// each call, and plain tasks are on one of the loops.
private func loopsActors() throws {
  let rounds = 5000
  let actor = Placed()
  let strays = try AsyncIO.run(loops: 2) { group in
    let loop = group.loop
    let plain = Task {
      var strays = 0
      for _ in 0..<rounds {
        _ = await actor.increment()
        if !group.loops.contains(where: { (try? getRunningLoop()) === $0 }) { strays += 1 }
      }
      return strays
    }
    let kept = try loop.createTask {
      var strays = 0
      for _ in 0..<rounds {
        _ = await actor.increment()
        if (try? getRunningLoop()) !== loop { strays += 1 }
      }
      return strays
    }
    return (try await kept.get(), await plain.value)
  }
  fact("kept strays", strays.map(\.0).reduce(0, +))
  fact("plain strays", strays.map(\.1).reduce(0, +))
  let counted = Task { await actor.increment() }
  fact("count", try AsyncIO.run { await counted.value } - 1 == rounds * 4)
}

private struct Failure: Error {}

private func loopsShared() throws {
  let values = try AsyncIO.run(loops: 3) { group in
    let first = try await group.shared { "made by \(group.index)" }
    let failure = await shortOutcome { try await group.shared { () async throws -> Int in throw Failure() } }
    // A body that comes late finds what was made.
    if group.index == 2 { try await sleep(for: .milliseconds(5)) }
    let third = try await group.shared { 7 }
    return "\(first), \(failure), \(third)"
  }
  fact("values", Set(values).sorted())
  let never = try AsyncIO.run(loops: 2) { group in
    group.index == 0 ? "ended" : await shortOutcome { try await group.shared { 1 } }
  }
  fact("never made", never)
  let other = try AsyncIO.run(loops: 2) { group in
    group.index == 0
      ? try await group.shared { "text" } : await shortOutcome { try await group.shared { () -> Int in 1 } }
  }
  fact("another type", other)
  fact("alone", try AsyncIO.run(loops: 1) { try await $0.shared { 5 } })
}

/// What a call throws, in short.
private func shortOutcome<Value>(_ body: () async throws -> Value) async -> String {
  do { return "\(try await body())" } catch let error as EventLoopError { return "\(error.code)" } catch {
    return "\(type(of: error))"
  }
}

/// Work for a loop whose own body has nothing left to do, its errors, and its cancellation.
private func loopsRunOn() throws {
  try AsyncIO.run(loops: 2) { group in
    guard group.index == 0 else { return }
    let other = group.loops[1]
    fact("there", try await group.run(on: 1) { try getRunningLoop() === other })
    fact("back", try getRunningLoop() === group.loop)
    fact("failure", await shortOutcome { try await group.run(on: 1) { throw Failure() } })
    fact("no such loop", await shortOutcome { try await group.run(on: 2) {} })
    let notes = Notes()
    let cancelled = try group.loop.createTask {
      try await group.run(on: 1) {
        notes.add("began")
        do { try await sleep(for: .seconds(3600)) } catch {
          notes.add("cleaned up")
          throw error
        }
      }
    }
    try await notes.untilCount(1)
    cancelled.cancel()
    fact("cancelled", await shortOutcome { try await cancelled.get() })
    try await notes.untilCount(2)
    fact("notes", notes.all)
  }
}

/// The policy is asked for each loop, sees each set in its thread, and its scope is seen by every body.
private func loopsPolicy() throws {
  let policy = ObservedPolicy()
  try withEventLoopPolicy(policy) {
    let seen = try AsyncIO.run(loops: 2, debug: true) { group in
      let current = try policy.getEventLoop()
      return current === group.loop && getEventLoopPolicy() === policy && group.loop.isDebug
    }
    fact("seen", seen)
  }
  fact("calls", policy.calls.sorted())
  fact("unset") { _ = try policy.getEventLoop() }
}

/// One loop is the ordinary run; bad counts are refused before anything is made.
private func loopsOne() throws {
  let policy = ObservedPolicy()
  setEventLoopPolicy(policy)
  for count in [0, -1, 1025] { fact("\(count)") { _ = try AsyncIO.run(loops: count) { _ in } } }
  fact("made", policy.calls)
  let values = try AsyncIO.run(loops: 1) { group in
    let isAlone = group.index == 0 && group.count == 1 && isMainThread()
    return try getRunningLoop() === group.loop && isAlone
  }
  fact("values", values)
  fact("processors", LoopGroup.availableProcessors > 0)
  try AsyncIO.run { fact("inside") { _ = try AsyncIO.run(loops: 2) { _ in } } }
}

/// Many loops, then one, then many: what one run leaves over goes on in the next one.
private func loopsAgain() throws {
  let notes = Notes()
  let parked = Parked()
  try AsyncIO.run(loops: 2) { group in
    Task {
      try await Task.sleep(for: .milliseconds(1))
      notes.add("slept on \(group.index)")
    }
    Task {
      await withUnsafeContinuation { parked.add($0) }
      notes.add("parked on \(group.index)")
    }
    while parked.count < 2 { try await sleep(for: .zero) }
  }
  parked.resumeAll()
  fact("between", notes.all.filter { $0.hasPrefix("parked") })
  try AsyncIO.run {
    try await notes.untilCount(4)
    fact("one loop", notes.all)
  }
  fact("two", try AsyncIO.run(loops: 2) { try getRunningLoop() === $0.loop })
}

/// Tasks that wait for the program.
private final class Parked: Sendable {
  private let continuations = Lock<[UnsafeContinuation<Void, Never>]>([])

  var count: Int { continuations.withLock { $0.count } }
  func add(_ continuation: UnsafeContinuation<Void, Never>) { continuations.withLock { $0.append(continuation) } }
  func resumeAll() { for continuation in continuations.withLock({ $0 }) { continuation.resume() } }
}

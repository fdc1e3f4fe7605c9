import Synchronization
import Testing

@testable import AsyncIO

/// What becomes of Swift code whose loop was closed: every job runs, and actors keep their isolation.
@Suite struct LateJobTests {
  /// An actor that lives on a loop. It notices if two of its jobs overlap.
  private actor Pinned {
    private let loop: BaseEventLoop
    nonisolated let overlaps = Atomic<Int>(0)
    private let inside = Atomic<Int>(0)
    private(set) var count = 0

    init(on loop: BaseEventLoop) { self.loop = loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

    func increment() {
      if inside.add(1, ordering: .sequentiallyConsistent).oldValue != 0 {
        overlaps.add(1, ordering: .relaxed)
      }
      let before = count
      preconditionIsolated()
      count = before + 1
      inside.subtract(1, ordering: .sequentiallyConsistent)
    }

    /// Count before and after a suspension that ends when the loop has been closed.
    func incrementAround(_ gate: Gate) async {
      increment()
      await gate.pass()
      increment()
    }
  }

  /// Holds tasks until it is opened.
  private final class Gate: Sendable {
    private let state = Lock<(isOpen: Bool, waiting: [UnsafeContinuation<Void, Never>])>((false, []))

    var waiting: Int { state.withLock { $0.waiting.count } }

    func pass() async {
      await withUnsafeContinuation { continuation in
        let isOpen = state.withLock { state in
          if !state.isOpen { state.waiting.append(continuation) }
          return state.isOpen
        }
        if isOpen { continuation.resume() }
      }
    }

    func open() {
      let waiting = state.withLock { state in
        defer { state = (true, []) }
        return state.waiting
      }
      for continuation in waiting { continuation.resume() }
    }
  }

  @Test("An actor pinned to a closed loop counts 8 times 500 calls exactly")
  func pinnedActorAfterClose() async throws {
    let loop = try SelectorEventLoop()
    let actor = Pinned(on: loop)
    try await loop.run { await actor.increment() }
    try loop.close()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { for _ in 0..<500 { await actor.increment() } }
      }
    }
    #expect(await actor.count == 4001)
    #expect(actor.overlaps.load(ordering: .relaxed) == 0)
  }

  @Test("Calls that are under way on an actor while its loop is closed are counted exactly")
  func pinnedActorDuringClose() async throws {
    let loop = try SelectorEventLoop()
    let actor = Pinned(on: loop)
    let gate = Gate()
    let callers = (0..<8).map { _ in
      Task(executorPreference: loop.taskExecutor) {
        await actor.incrementAround(gate)
        for _ in 0..<498 { await actor.increment() }
      }
    }
    // All wait inside the actor when this run ends.
    try await loop.run { while gate.waiting < 8 { try await sleep(for: .zero) } }
    try loop.close()
    gate.open()
    for caller in callers { await caller.value }
    #expect(await actor.count == 4000)
    #expect(actor.overlaps.load(ordering: .relaxed) == 0)
  }

  @Test("Tasks that are parked in a loop when it closes go on to their end elsewhere")
  func parkedTasks() async throws {
    let loop = try SelectorEventLoop()
    let gate = Gate()
    let tasks = (0..<100).map { number in
      Task(executorPreference: loop.taskExecutor) {
        await gate.pass()
        async let child = number * 2
        await Task.yield()
        return await child
      }
    }
    // These are queued and have not begun when the loop closes.
    try await loop.run { while gate.waiting < 100 { try await sleep(for: .zero) } }
    let queued = (0..<100).map { number in Task(executorPreference: loop.taskExecutor) { number } }
    try loop.close()
    gate.open()
    for (number, task) in tasks.enumerated() { #expect(await task.value == number * 2) }
    for (number, task) in queued.enumerated() { #expect(await task.value == number) }
    // And one that comes when all is over.
    #expect(await Task(executorPreference: loop.taskExecutor) { 7 }.value == 7)
  }

  @Test("A task in the package's sleep learns of the close at once")
  func packageSleep() async throws {
    let loop = try SelectorEventLoop()
    let asleep = Gate()
    let task = Task(executorPreference: loop.taskExecutor) {
      asleep.open()
      try await sleep(for: .seconds(3600))
    }
    try await loop.run { await asleep.pass() }
    try loop.close()
    let error = await #expect(throws: EventLoopError.self) { try await task.value }
    #expect(error?.code == .closed)
  }

  @Test("A task in Task.sleep sleeps its whole time even if its loop is closed during it")
  func runtimeSleep() async throws {
    let loop = try SelectorEventLoop()
    let asleep = Gate()
    let clock = ContinuousClock()
    let start = clock.now
    let task = Task(executorPreference: loop.taskExecutor) {
      asleep.open()
      try await Task.sleep(for: .milliseconds(60))
      return clock.now - start
    }
    try await loop.run { await asleep.pass() }
    try loop.close()
    #expect(try await task.value >= .milliseconds(60))
    // A sleep that begins after the close has its time as well.
    let late = Task(executorPreference: loop.taskExecutor) {
      let start = clock.now
      try await Task.sleep(for: .milliseconds(20))
      return clock.now - start
    }
    #expect(try await late.value >= .milliseconds(20))
  }

  @Test("Cancelling a task that is in Task.sleep on a closed loop ends its sleep at once")
  func cancelledRuntimeSleep() async throws {
    let loop = try SelectorEventLoop()
    let asleep = Gate()
    let task = Task(executorPreference: loop.taskExecutor) {
      asleep.open()
      try await Task.sleep(for: .seconds(3600))
    }
    try await loop.run { await asleep.pass() }
    try loop.close()
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test("A closed loop is freed even while its tasks are still on their way")
  func loopIsFreed() async throws {
    let gate = Gate()
    weak var seen: SelectorEventLoop?
    let task: Task<Int, Never>
    do {
      let loop = try SelectorEventLoop()
      seen = loop
      task = Task(executorPreference: loop.taskExecutor) {
        await gate.pass()
        return 5
      }
      try await loop.run { while gate.waiting < 1 { try await sleep(for: .zero) } }
      try loop.close()
    }
    #expect(seen == nil)
    gate.open()
    #expect(await task.value == 5)
  }

  #if os(Linux)
    @Test("Loops that are closed under their tasks leave no descriptor and nothing counted behind")
    func leavesNothing() async throws {
      let program = try await HelperProgram.run("late-leaves-nothing")
      #expect(program["counters"] == "zero")
      // Fifty loops that leak leave fifty. The platform's executor may open one or two more of its own.
      let left = try #require(program["descriptors"].flatMap { Int($0) })
      #expect(left < 10)
    }

    @Test("A job of an earlier whole-process loop that comes during a later run, runs in that run")
    func lateJobDuringRun() async throws {
      let program = try await HelperProgram.run("late-job-during-run")
      #expect(program["notes"] == #"["preferred the old loop"]"#)
      #expect(program["on the main thread"] == "true")
      #expect(program["threads"] == "1")
    }
  #endif
}

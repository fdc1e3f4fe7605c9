import Synchronization
import Testing

@testable import AsyncIO

/// Debug mode says what holds a loop up while it still does, and which tasks wait for each other.
@Suite(.timeLimit(.minutes(5)))
struct StallTests {
  // MARK: Steps that have not ended

  /// Run the body, which blocks the loop's thread until a log entry with the prefix has come.
  private func log(
    _ kind: LoopKind, until prefix: String,
    _ body: @escaping @Sendable (BaseEventLoop, @escaping @Sendable () -> Void) async throws -> Void
  ) async throws -> [String] {
    try await kind.withLoop { loop in
      loop.isDebug = true
      loop.slowCallbackDuration = .milliseconds(2)
      let log = CapturedLog(of: loop)
      try loop.run {
        try await body(loop) {
          while !log.messages.contains(where: { $0.hasPrefix(prefix) }) { yieldProcessor() }
        }
      }
      return log.messages
    }
  }

  @Test("A callback that does not end is reported meanwhile, once, with its place", arguments: LoopKind.allCases)
  func hangingCallback(kind: LoopKind) async throws {
    let begin = "executing the callback made at AsyncIOTests/StallTests.swift:"
    let log = try await log(kind, until: begin) { loop, hang in
      let done: Future<Void> = loop.createFuture()
      try loop.callSoon {
        hang()
        try done.setResult(())
      }
      try await done.get()
    }
    let reports = log.filter { $0.hasPrefix(begin) }
    #expect(reports.filter { $0.hasSuffix(" and goes on; the loop waits for it") }.count == 1)
    // And again when it has ended, with all of its time.
    #expect(reports.count == 2)
  }

  @Test("A task that does not let others in is reported meanwhile, by its name", arguments: LoopKind.allCases)
  func hangingTask(kind: LoopKind) async throws {
    let log = try await log(kind, until: "executing a job of hog, made at ") { loop, hang in
      try await loop.createTask(name: "hog") { hang() }.get()
    }
    #expect(log.contains { $0.hasPrefix("executing a job of hog, made at AsyncIOTests/StallTests.swift:") })
  }

  @Test("A handler that blocks is reported meanwhile, by its connection", arguments: LoopKind.allCases)
  func hangingHandler(kind: LoopKind) async throws {
    let begin = "executing a job of the connection with descriptor "
    guard RuntimeKnowledge.cancellationRecords.isInUse, RuntimeKnowledge.jobsOfTasks.isInUse else { return }
    let names = Recorder<String>()
    let log = try await log(kind, until: begin) { loop, hang in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask { try await listener.serve { _ in hang() } }
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      names.record("\(try #require(client.localAddress))")
      #expect(try await client.readToEnd().isEmpty)
      client.close()
      listener.close()
      try await serving.value
    }
    #expect(log.contains { $0.hasPrefix(begin) && $0.contains(" to \(names.all[0])") })
  }

  @Test("Debug mode leaves no thread behind", arguments: LoopKind.allCases)
  func noThread(kind: LoopKind) async throws {
    // In a process of its own: others begin and end threads meanwhile.
    await #expect(processExitsWith: .success) { [kind] in
      try await expectNoLeaks {
        try await kind.withLoop { loop in
          loop.isDebug = true
          try loop.run { try await sleep(for: .zero) }
        }
      }
    }
  }

  // MARK: Circles

  /// What the loop says of tasks that wait for each other while the body runs, in debug mode.
  private func circles(
    _ kind: LoopKind, _ body: @escaping @Sendable (BaseEventLoop) async throws -> Void
  ) async throws -> [String] {
    try await kind.withLoop { loop in
      loop.isDebug = true
      loop.slowCallbackDuration = .seconds(3600)
      let log = CapturedLog(of: loop)
      try loop.run { try await body(loop) }
      return log.messages.filter { $0.hasPrefix("tasks wait for each other") }
    }
  }

  /// Two tasks that take two locks in different orders; they are cancelled when both wait.
  private static func cross(_ loop: BaseEventLoop) async throws {
    let (first, second) = (AsyncLock(), AsyncLock())
    let both = try Barrier(2)
    func task(_ name: String, _ one: AsyncLock, _ other: AsyncLock) throws -> LoopTask<Void> {
      try loop.createTask(name: name) {
        try await one.withLock {
          _ = try await both.wait()
          try await other.withLock {}
        }
      }
    }
    let (left, right) = (try task("left", first, second), try task("right", second, first))
    try await turnUntil {
      [left, right].allSatisfy { task in WaitRecords.shared.some(.max).contains { $0.task === task } }
    }
    for _ in 0..<3 { try await sleep(for: .zero) }
    left.cancel()
    right.cancel()
    _ = try await gatherResults([left, right])
  }

  @Test(
    "Two tasks that take two locks in different orders are reported, once, with the chain", arguments: LoopKind.allCases
  )
  func locks(kind: LoopKind) async throws {
    let reports = try await circles(kind) { try await Self.cross($0) }
    #expect(reports.count == 1)
    let report = try #require(reports.first)
    for part in ["left, made at ", "right, made at ", " waits for a lock made at AsyncIOTests/StallTests.swift:"] {
      #expect(report.contains(part), "\(part) is not in: \(report)")
    }
  }

  @Test("A task that waits for a lock that it holds is reported", arguments: LoopKind.allCases)
  func ownLock(kind: LoopKind) async throws {
    let reports = try await circles(kind) { loop in
      let lock = AsyncLock()
      let task = try loop.createTask(name: "twice") { try await lock.withLock { try await lock.withLock {} } }
      try await turnUntil { WaitRecords.shared.some(.max).contains { $0.task === task } }
      task.cancel()
      _ = try await gatherResults([task])
    }
    #expect(reports.count == 1)
  }

  @Test(
    "A task that holds what the task needs that it awaits is reported", arguments: LoopKind.allCases, [false, true])
  func lockAndTask(kind: LoopKind, gathers: Bool) async throws {
    let reports = try await circles(kind) { loop in
      let lock = AsyncLock()
      let holder = try loop.createTask(name: "holder") {
        try await lock.withLock {
          let needy = try loop.createTask(name: "needy") { try await lock.withLock {} }
          try await turnUntil { WaitRecords.shared.some(.max).contains { $0.task === needy } }
          if gathers { _ = try await gather([needy]) } else { try await needy.get() }
        }
      }
      try await turnUntil { WaitRecords.shared.some(.max).contains { $0.task === holder } }
      holder.cancel()
      _ = try await gatherResults([holder])
    }
    #expect(reports.count == 1)
    #expect(reports[0].contains("holder, made at ") && reports[0].contains("needy, made at "))
  }

  @Test("Tasks that only queue for a lock, or wait in a chain, are not reported", arguments: LoopKind.allCases)
  func chains(kind: LoopKind) async throws {
    let reports = try await circles(kind) { loop in
      let lock = AsyncLock()
      let tasks = try (0..<20).map { _ in
        try loop.createTask { try await lock.withLock { for _ in 0..<3 { try await sleep(for: .zero) } } }
      }
      let waiting = try loop.createTask { _ = try await gather(tasks) }
      try await waiting.get()
    }
    #expect(reports.isEmpty)
  }

  @Test("A task that is dropped while it waits is named, with what it waits for", arguments: LoopKind.allCases)
  func dropped(kind: LoopKind) async throws {
    let reports = Recorder<ExceptionContext>()
    try await kind.withLoop { loop in
      loop.isDebug = true
      loop.exceptionHandler = { reports.record($1) }
      try loop.run {
        let lock = AsyncLock()
        try await lock.acquire()
        let task = try loop.createTask(name: "forgotten") { try await lock.acquire() }
        try await turnUntil { WaitRecords.shared.some(.max).contains { $0.task === task } }
      }
      try loop.close()
    }
    let report = try #require(reports.all.first { $0.task == "forgotten" })
    #expect(report.message.contains("; it waits for a lock made at AsyncIOTests/StallTests.swift:"))
  }

  @Test("Nothing is left of waits that have ended")
  func noRecords() async throws {
    try await LoopKind.poll.withLoop { loop in
      loop.isDebug = true
      try loop.run {
        let lock = AsyncLock()
        let task = try loop.createTask { try await lock.withLock { try await sleep(for: .zero) } }
        try await lock.withLock { try await sleep(for: .zero) }
        try await task.get()
        #expect(!WaitRecords.shared.some(.max).contains { $0.point === lock || $0.point === task })
      }
    }
  }
}

import Testing

@testable import AsyncIO

/// Many thousands of them, each with the one before: nothing that is done to the chain may use up the stack, which is
/// over after some ten thousand.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct LongChainTests {
  private static var length: Int { isThreadSanitized || isAddressSanitized ? 2_000 : 25_000 }

  private final class Count: Sendable {
    private let count = Lock(0)
    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
  }

  /// Tasks that have all begun to await, each by the closure.
  private func chain(
    _ loop: BaseEventLoop, _ link: @escaping @Sendable (Future<Void>) async throws -> Void
  ) async throws -> (first: Future<Void>, all: [LoopTask<Void>]) {
    let first: Future<Void> = loop.createFuture()
    let begun = Count()
    var all: [LoopTask<Void>] = []
    var last = first
    for _ in 0..<Self.length {
      let before = last
      let task = try loop.createTask(name: "link") {
        begun.add()
        try await link(before)
      }
      all.append(task)
      last = task
    }
    while begun.value < Self.length { try await sleep(for: .zero) }
    try await sleep(for: .zero)
    return (first, all)
  }

  private func expectCancelled(_ tasks: [LoopTask<Void>]) async {
    for task in tasks { _ = await task.waitUntilDone() }
    #expect(tasks.allSatisfy { $0.isCancelled })
  }

  @Test("Cancelling the last of tasks that await each other ends them all", arguments: LoopKind.allCases)
  func cancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (first, tasks) = try await chain(loop) { try await $0.get() }
      tasks.last?.cancel()
      #expect(first.isCancelled, "the first one is reached before the call returns")
      await expectCancelled(tasks)
    }
  }

  @Test(
    "So it does through gather, groups and time limits, and when a Swift task is cancelled",
    arguments: LoopKind.allCases)
  func cancelThroughCombinators(kind: LoopKind) async throws {
    try await kind.run { loop in
      for link in [
        { _ = try await gather([$0]) },
        { before in try await withLoopTaskGroup { _ in try await before.get() } },
        { before in try await withTimeout(.seconds(3600)) { try await before.get() } },
        { before in _ = try await gatherResults([before]) },
      ] as [@Sendable (Future<Void>) async throws -> Void] {
        let (first, tasks) = try await chain(loop, link)
        let last = tasks[tasks.count - 1]
        let plain = Task(executorPreference: loop.taskExecutor) { try await last.get() }
        try await sleep(for: .zero)
        plain.cancel()
        await expectCancelled(tasks)
        #expect(first.isCancelled)
      }
    }
  }

  @Test("Limits inside of limits are cancelled from the outside", arguments: LoopKind.allCases)
  func nestedLimits(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reached = loop.createFuture(of: Void.self)
      @Sendable func nest(_ depth: Int) async throws {
        if depth > 0 { return try await withTimeout(.seconds(3600)) { try await nest(depth - 1) } }
        reached.complete(.success(()))
        try await sleep(for: .seconds(3600))
      }
      let task = try loop.createTask { try await nest(Self.length / 10) }
      try await reached.get()
      task.cancel()
      #expect(await task.waitUntilDone() == nil)
      #expect(task.isCancelled)
    }
  }

  @Test("The graph of a long chain is captured, inspected, printed and freed", arguments: LoopKind.allCases)
  func callGraph(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (first, tasks) = try await chain(loop) { try await $0.get() }
      let graph = captureCallGraph(first)
      var (depth, entry) = (0, graph)
      while let next = entry.awaitedBy.first { (depth, entry) = (depth + 1, next) }
      #expect(depth == Self.length)
      let text = formatCallGraph(first)
      #expect(text.split(separator: "\n").count == 2 * Self.length + 1)
      #expect(text.contains("(level \(Self.length)) link"))
      #expect(captureCallGraph(first, limit: 3).description.split(separator: "\n").count == 7)
      first.cancel()
      await expectCancelled(tasks)
    }
  }

  @Test("A task that is reached in two ways is shown once, however many ways there are", arguments: LoopKind.allCases)
  func diamonds(kind: LoopKind) async throws {
    try await kind.run { loop in
      let first = loop.createFuture(of: Void.self)
      var layer: [Future<Void>] = [first]
      var tasks: [LoopTask<Void>] = []
      for number in 0..<60 {
        let before = layer
        let both = try (0..<2).map { side in
          try loop.createTask(name: "\(number)-\(side)") { _ = try await gather(before) }
        }
        tasks += both
        layer = both
      }
      for _ in 0..<3 { try await sleep(for: .zero) }
      let lines = formatCallGraph(first).split(separator: "\n")
      #expect(lines.count < 500)
      #expect(lines.contains { $0.contains("59-1") })
      #expect(lines.contains { $0.hasSuffix(", shown above") })
      first.cancel()
      for task in tasks { _ = await task.waitUntilDone() }
    }
  }

  @Test(
    "A chain completes, and one of futures that hold each other by their callbacks goes away",
    arguments: LoopKind.allCases)
  func completingAndReleasing(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (first, tasks) = try await chain(loop) { try await $0.get() }
      first.complete(.success(()))
      try await tasks[tasks.count - 1].get()
      let canary = Canary()
      weak let end = canary
      do {
        var head: Future<Void> = loop.createFuture()
        head.addDoneCallback { [canary] _ in _ = canary }
        for _ in 0..<Self.length {
          let next: Future<Void> = loop.createFuture()
          next.addDoneCallback { [head] in try? head.setResult($0.result()) }
          head = next
        }
        _ = consume head
      }
      _ = consume canary
      #expect(end == nil)
    }
  }
}

import AsyncIO
import Testing

/// `withEventLoopPolicy`: a policy for what runs inside, and nothing else.
@Suite struct ScopedPolicyTests {
  private struct Failure: Error {}

  @Test("A scope decides get, set and new; outside of it everything is as before")
  func synchronousScope() async throws {
    try await inThread {
      let outer = getEventLoopPolicy()
      let policy = RecordingPolicy()
      try withEventLoopPolicy(policy) {
        #expect(getEventLoopPolicy() === policy)
        let loop = try newEventLoop()
        setEventLoop(loop)
        #expect(try getEventLoop() === loop)
        setEventLoop(nil)
        try loop.close()
      }
      #expect(policy.calls.all == ["new", "set(loop)", "get", "set(nil)"])
      #expect(getEventLoopPolicy() === outer)
    }
  }

  @Test("Scopes nest, and each ends with its own policy even if the body throws")
  func nestingAndThrowing() async {
    let outermost = getEventLoopPolicy()
    let (outer, inner) = (RecordingPolicy(), RecordingPolicy())
    await withEventLoopPolicy(outer) {
      #expect(throws: Failure.self) {
        try withEventLoopPolicy(inner) {
          #expect(getEventLoopPolicy() === inner)
          throw Failure()
        }
      }
      #expect(getEventLoopPolicy() === outer)
      await #expect(throws: Failure.self) {
        try await withEventLoopPolicy(inner) {
          await Task.yield()
          #expect(getEventLoopPolicy() === inner)
          throw Failure()
        }
      }
      #expect(getEventLoopPolicy() === outer)
    }
    #expect(getEventLoopPolicy() === outermost)
  }

  @Test("A scope ends with its own policy even if its task is cancelled")
  func cancelled() async {
    let policy = RecordingPolicy()
    let (entered, enter) = AsyncStream.makeStream(of: Void.self)
    let task = Task {
      let outer = getEventLoopPolicy()
      let wasInside = await withEventLoopPolicy(policy) {
        enter.finish()
        // Ends when the task is cancelled, not before.
        for await _ in AsyncStream<Void>.makeStream().stream {}
        return Task.isCancelled && getEventLoopPolicy() === policy
      }
      return wasInside && getEventLoopPolicy() === outer
    }
    for await _ in entered {}
    task.cancel()
    #expect(await task.value)
  }

  @Test("A scope is seen by child tasks and by tasks made inside, not by detached ones")
  func tasks() async {
    let policy = RecordingPolicy()
    await withEventLoopPolicy(policy) {
      async let child = getEventLoopPolicy() === policy
      let seenByChild = await child
      #expect(seenByChild)
      let members = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 { group.addTask { getEventLoopPolicy() === policy } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(members == Array(repeating: true, count: 8))
      #expect(await Task { getEventLoopPolicy() === policy }.value)
      #expect(await Task.detached { getEventLoopPolicy() !== policy }.value)
    }
  }

  @Test("A task made inside keeps the scope's policy when the scope has ended")
  func taskOutlivesScope() async {
    let policy = RecordingPolicy()
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let task = withEventLoopPolicy(policy) {
      Task {
        for await _ in gate {}
        return getEventLoopPolicy() === policy
      }
    }
    #expect(getEventLoopPolicy() !== policy)
    open.finish()
    #expect(await task.value)
  }

  @Test("Callbacks scheduled inside see the scope's policy; those scheduled outside do not")
  func callbacks() async throws {
    try await withLoop { loop in
      let policy = RecordingPolicy()
      let seen = Recorder<String>()
      let done: Future<Void> = loop.createFuture()
      let note = { @Sendable (name: String) in seen.record("\(name): \(getEventLoopPolicy() === policy)") }
      try withEventLoopPolicy(policy) {
        try loop.callSoon {
          note("callSoon")
          // What a callback schedules belongs to the scope as well.
          try loop.callSoon { note("callSoon of a callback") }
        }
        try loop.callSoonThreadsafe { note("callSoonThreadsafe") }
        try loop.callLater(.nanoseconds(1)) { note("callLater") }
        try loop.callSoon(context: .taskLocals) { note("callSoon with task-locals") }
        done.addDoneCallback { _ in note("done callback") }
      }
      try loop.callSoon { note("outside") }
      try loop.callLater(.milliseconds(2)) { try done.setResult(()) }
      try await loop.run {
        try await done.get()
        // The done callback was queued by the same completion, before this task was resumed.
        try await sleep(for: .zero)
      }
      #expect(
        Set(seen.all) == [
          "callSoon: true", "callSoon of a callback: true", "callSoonThreadsafe: true", "callLater: true",
          "callSoon with task-locals: true", "done callback: true", "outside: false",
        ])
      #expect(seen.all.count == 7)
    }
  }

  @Test("setEventLoopPolicy inside a scope replaces the scope's policy, for all that runs in it, and only there")
  func replacedInside() async {
    let outer = getEventLoopPolicy()
    let (first, second) = (RecordingPolicy(), RecordingPolicy())
    await withEventLoopPolicy(first) {
      await Task { setEventLoopPolicy(second) }.value
      #expect(getEventLoopPolicy() === second)
      setEventLoopPolicy(nil)
      let fresh = getEventLoopPolicy()
      #expect(fresh !== first && fresh !== second && fresh !== outer)
      #expect(type(of: fresh) == DefaultEventLoopPolicy.self)
      #expect(getEventLoopPolicy() === fresh)
    }
    #expect(getEventLoopPolicy() === outer)
  }

  @Test("A running task never moves: the loop that runs it stays the running and the current one inside a scope")
  func runningLoopFirst() async throws {
    try await withLoop { loop in
      try await loop.run {
        try await withEventLoopPolicy(RefusingPolicy()) {
          try await sleep(for: .zero)
          #expect(try getRunningLoop() === loop)
          #expect(try getEventLoop() === loop)
          #expect(throws: RefusingPolicy.Refusal()) { try newEventLoop() }
        }
      }
    }
  }
}

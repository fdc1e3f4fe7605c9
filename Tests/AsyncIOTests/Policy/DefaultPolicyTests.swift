import AsyncIO
import Testing

/// The default policy's contexts, away from the main thread. Every test asks a policy of its own.
@Suite struct DefaultPolicyTests {
  private func code(of body: () throws -> Void) -> EventLoopError.Code? {
    #expect(throws: EventLoopError.self) { try body() }?.code
  }

  @Test("A5: a thread's loop is gone when the thread ends, and no later thread inherits it")
  func contextEndsWithItsThread() async throws {
    let policy = DefaultEventLoopPolicy(creation: .never)
    var loop: SelectorEventLoop? = try SelectorEventLoop()
    weak let seen = loop
    try loop?.close()
    // Many threads in a row: the kernel gives their numbers out again.
    for _ in 0..<200 {
      let inherited = try await inThread { [loop] in
        defer { policy.setEventLoop(loop) }
        return (try? policy.getEventLoop()) != nil
      }
      #expect(!inherited)
    }
    loop = nil
    // A thread's own end comes just after its body's: wait for that, not for a time.
    while seen != nil { await Task.yield() }
  }

  @Test("A5: the contexts of many threads at once stay apart")
  func manyThreads() async throws {
    let policy = DefaultEventLoopPolicy(creation: .never)
    let kept = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<16 {
        group.addTask {
          try await inThread {
            let mine = try policy.newEventLoop()
            defer { try? mine.close() }
            for _ in 0..<200 {
              policy.setEventLoop(nil)
              if code(of: { _ = try policy.getEventLoop() }) != .noCurrentLoop { return false }
              policy.setEventLoop(mine)
              if try policy.getEventLoop() !== mine { return false }
            }
            return true
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(kept == Array(repeating: true, count: 16))
  }

  @Test("A kind that a module registers is made by its name")
  func registeredKinds() throws {
    EventLoopKinds.register("test-only kind") { SelectorEventLoop(selector: try Selectors.poll()) }
    #expect(EventLoopKinds.names.contains("test-only kind"))
    let registered = try EventLoopKinds.make("test-only kind")
    #expect((registered as? SelectorEventLoop)?.backendName == "poll")
    try registered.close()
  }

  @Test("A policy holds the loops it was given and lets them go with its contexts")
  func ownership() async throws {
    try await inThread {
      let policy = DefaultEventLoopPolicy()
      weak var seen: SelectorEventLoop?
      do {
        let loop = try SelectorEventLoop()
        seen = loop
        policy.setEventLoop(loop)
        try loop.close()
      }
      #expect(seen != nil)
      policy.setEventLoop(nil)
      #expect(seen == nil)
    }
  }
}

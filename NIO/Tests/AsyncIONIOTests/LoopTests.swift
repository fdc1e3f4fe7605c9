import AsyncIO
import AsyncIONIO
import NIOCore
import Synchronization
import Testing

/// What NIO asks of an event loop.
@Suite("Loops in NIO's role", .timeLimit(.minutes(1)))
struct LoopTests {
  @Test("Tasks run in the loop's thread, in order, from any thread", arguments: Site.real)
  func order(site: Site) async throws {
    try await site.run { channels in
      let (events, loop) = (Events(), channels.loop)
      #expect(!loop.inEventLoop)
      for index in 0..<100 { loop.execute { events.note("\(index) \(loop.inEventLoop)") } }
      let count = try await loop.submit { events.all.count }.get()
      #expect(count == 100)
      #expect(events.all == (0..<100).map { "\($0) true" })
      struct Failure: Error {}
      await #expect(throws: Failure.self) { try await loop.submit { throw Failure() }.get() }
    }
  }

  @Test("Scheduled tasks run at their times; a cancelled one does not", arguments: Site.real)
  func scheduled(site: Site) async throws {
    try await site.run { channels in
      let (events, loop) = (Events(), channels.loop)
      // In one turn: the times cannot come before the cancel.
      let (begin, tasks, never) = try await loop.submit {
        let begin = loop.now
        let late = loop.scheduleTask(in: .milliseconds(20)) { events.note("late") }
        let early = loop.scheduleTask(in: .milliseconds(5)) { events.note("early") }
        let never = loop.scheduleTask(in: .milliseconds(10)) { events.note("never") }
        let past = loop.scheduleTask(deadline: begin - .seconds(1)) { events.note("past") }
        never.cancel()
        return (begin, [past, early, late], never)
      }.get()
      for task in tasks { try await task.futureResult.get() }
      await #expect(throws: NIOCore.EventLoopError.self) { try await never.futureResult.get() }
      #expect(events.all == ["past", "early", "late"])
      #expect(loop.now - begin >= .milliseconds(20))
      for task in tasks { task.cancel() }
    }
  }

  @Test("A task whose time does not come before the loop closes fails")
  func scheduledForNever() async throws {
    let events = Events()
    let (kept, dropped) = try await AsyncIO.run {
      let loop = try AsyncIOEventLoop.running()
      let kept = loop.scheduleTask(in: .hours(1)) { events.note("kept") }
      return (kept, loop.scheduleTask(in: .hours(1)) { events.note("dropped") }.futureResult)
    }
    await #expect(throws: NIOCore.EventLoopError.self) { try await kept.futureResult.get() }
    await #expect(throws: NIOCore.EventLoopError.self) { try await dropped.get() }
    kept.cancel()
    #expect(events.all.isEmpty)
  }

  // Futures of NIO's loops tell nobody after the end.
  @Test("A scheduled task whose loop ends before its time fails", arguments: Site.ours)
  func scheduledBeyondTheEnd(site: Site) async throws {
    let scheduled = try await site.run { channels in channels.loop.scheduleTask(in: .hours(1)) {} }
    await #expect(throws: (any Error).self) { try await scheduled.futureResult.get() }
    scheduled.cancel()
  }

  @Test("A cancel in the turn in which the time comes wins", arguments: Site.real)
  func cancelAtTheLastMoment(site: Site) async throws {
    try await site.run { channels in
      let loop = channels.loop
      let fired = Atomic<Int>(0)
      for _ in 0..<20 {
        try await loop.submit {
          let deadline = loop.now + .microseconds(50)
          let task = loop.scheduleTask(deadline: deadline) { fired.add(1, ordering: .relaxed) }
          while loop.now <= deadline {}
          task.cancel()
        }.get()
      }
      try await loop.scheduleTask(in: .milliseconds(2)) {}.futureResult.get()
      #expect(fired.load(ordering: .relaxed) == 0)
    }
  }

  @Test("Actors on the loop run in its thread", arguments: Site.ours)
  func actors(site: Site) async throws {
    try await site.run { channels in
      let loop = channels.loop as! AsyncIOEventLoop
      let counter = Counter(loop)
      for _ in 0..<10 { await counter.add() }
      #expect(await counter.count == 10)
      #expect(await counter.wasOnLoop)
      #expect(AsyncIOEventLoop.over(loop.base) === loop)
    }
  }

  @Test("A group takes its loops in turns, and names the one it is on", arguments: Site.real)
  func group(site: Site) async throws {
    try await site.run(threads: 3) { channels in
      let loops = (0..<6).map { _ in channels.group.next() }
      #expect(Set(loops.map { ObjectIdentifier($0) }).count == 3)
      #expect(loops[0] === loops[3] && loops[1] === loops[4])
      for loop in channels.group.makeIterator() {
        let isItself = try await loop.submit { channels.group.any() === loop }.get()
        #expect(isItself)
      }
    }
  }

  @Test("A shutdown closes what is open; afterwards nothing begins", arguments: Site.ours)
  func shutdown(site: Site) async throws {
    let events = Events()
    let group = try site.makeGroup(2)
    let channels = Channels(site: site, group: group)
    let listener = try await channels.listen { channel in
      try channel.pipeline.syncOperations.addHandler(Noting(events))
    }
    let address = listener.localAddress!
    let client = try await channels.connect(address)
    try await events.wait(for: "active true")
    try await group.shutdownGracefully()
    try await group.shutdownGracefully()
    #expect(events.all.last == "removed")
    #expect(!client.isActive && !listener.isActive)
    await #expect(throws: (any Error).self) { _ = try await channels.connect(address) }
    await #expect(throws: NIOCore.EventLoopError.self) { try await group.next().submit {}.get() }
  }

  @Test("A wait in the loop's thread is refused with a text")
  func waitOnLoop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let group = try AsyncIOEventLoopGroup(numberOfThreads: 1)
      let loop = group.next()
      try await loop.submit { try loop.makePromise(of: Void.self).futureResult.wait() }.get()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("would wait for itself"))
  }

  @Test("A loop of another make is refused by the bootstraps")
  func foreignLoop() async throws {
    try await Site.nio.run { channels in
      let group = channels.group
      await #expect(throws: (any Error).self) {
        _ = try await AsyncIOServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
      }
      await #expect(throws: (any Error).self) {
        _ = try await AsyncIOClientBootstrap(group: group).connect(host: "127.0.0.1", port: 1).get()
      }
    }
  }
}

/// An actor on a NIO loop.
private actor Counter {
  private let loop: AsyncIOEventLoop
  private(set) var count = 0
  private(set) var wasOnLoop = true
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

  init(_ loop: AsyncIOEventLoop) { self.loop = loop }

  func add() {
    count += 1
    wasOnLoop = wasOnLoop && loop.inEventLoop
  }
}

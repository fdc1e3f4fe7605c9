import AsyncIONIO
import NIOCore
import Synchronization
import Testing

/// What loops do at a time or in a turn, in NIO's order; in a simulated world at the exact times.
@Suite("Timers and turns as on NIO's loops", .timeLimit(.minutes(1)))
struct TimeTests {
  @Test("Tasks of one time run in the order in which they were asked for, the earlier ones first")
  func equalDeadlines() async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let (events, loop) = (Events(), channels.loop)
      // All are due in the turn that asks for them, so a busy machine changes nothing.
      let last = try await loop.submit {
        let now = loop.now
        for number in 0..<10 { loop.scheduleTask(deadline: now) { events.note("timer \(number)") } }
        loop.scheduleTask(deadline: now - .milliseconds(2)) { events.note("earlier") }
        loop.scheduleTask(deadline: now - .milliseconds(1)) { events.note("early") }
        loop.scheduleTask(in: .nanoseconds(0)) { events.note("at once") }
        return loop.scheduleTask(in: .milliseconds(1)) { events.note("last") }
      }.get()
      try await last.futureResult.get()
      return events.all
    }
  }

  @Test("The clock of a loop is NIO's", arguments: Site.real)
  func clock(site: Site) async throws {
    try await site.run { channels in
      let (before, now, after) = (NIODeadline.now(), channels.loop.now, NIODeadline.now())
      #expect(before <= now && now <= after)
    }
  }

  @Test("A future that is done calls back at once in its loop, and not from elsewhere")
  func futures() async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let (events, loop) = (Events(), channels.loop)
      try await loop.submit {
        events.note("\(loop.inEventLoop) \(loop.next() === loop) \(loop.any() === loop)")
        loop.makeSucceededFuture(1).whenSuccess { events.note("succeeded \($0)") }
        loop.makeSucceededVoidFuture().whenSuccess { events.note("void") }
        let failed: EventLoopFuture<Void> = loop.makeFailedFuture(Deed.Trouble())
        failed.whenFailure { _ in events.note("failed") }
        loop.makeCompletedFuture { 2 }.map { $0 + 1 }.whenSuccess { events.note("mapped \($0)") }
        let promise = loop.makePromise(of: Void.self)
        for number in 0..<3 { promise.futureResult.whenSuccess { events.note("callback \(number)") } }
        promise.succeed()
        events.note("after")
        loop.submit { events.note("submitted") }.whenComplete { _ in events.note("answered") }
        loop.flatSubmit { loop.submit { events.note("inner") } }.whenComplete { _ in events.note("outer") }
        events.note("end of turn")
      }.get()
      try await events.wait(for: "outer")
      return events.all
    }
  }

  @Test("What is isolated to the loop needs no locks")
  func isolated() async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let (events, loop) = (Events(), channels.loop)
      let timer = try await loop.submit {
        // A class that no other thread may have.
        final class Count { var value = 0 }
        let (isolated, count) = (loop.assumeIsolated(), Count())
        isolated.execute { count.value += 1 }
        let submitted = isolated.submit { count.value += 1 }
        submitted.whenSuccess { events.note("submitted") }
        // Set when the others have run: a thread that stands still must not make it due before them.
        return submitted.assumeIsolated().flatMap { _ in
          isolated.scheduleTask(in: .milliseconds(1)) { events.note("count \(count.value)") }.futureResult
        }.nonisolated()
      }.get()
      try await timer.get()
      return events.all
    }
  }

  /// How a repeated task ends.
  enum End: String, CaseIterable, Sendable { case cancelInside, cancelOutside, cancelAfterFailure }

  @Test("A repeated task goes on until it is cancelled, and says so", arguments: End.allCases)
  func repeated(end: End) async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let (events, loop) = (Events(), channels.loop)
      let ended = loop.makePromise(of: Void.self)
      events.watch("task", ended.futureResult)
      let count = Atomic<Int>(0)
      let body: @Sendable (RepeatedTask) throws -> Void = { task in
        let number = count.add(1, ordering: .relaxed).newValue
        if number > 3 { return }
        events.note("call \(number) \(loop.inEventLoop)")
        if number == 2, end == .cancelAfterFailure { throw Deed.Trouble() }
        guard number == 3, end != .cancelOutside else { return }
        let cancelled = loop.makePromise(of: Void.self)
        events.watch("cancel", cancelled.futureResult)
        task.cancel(promise: cancelled)
        events.note("goes on")
      }
      let task = loop.scheduleRepeatedTask(
        initialDelay: .milliseconds(1), delay: .microseconds(200), notifying: ended, body)
      if end == .cancelOutside {
        try await events.wait(for: "call 3 true")
        task.cancel()
      }
      _ = await Task { try await ended.futureResult.get() }.result
      try await loop.submit {}.get()
      return events.all
    }
  }

  @Test("A repeated asynchronous task waits for its future before the next delay")
  func repeatedAsynchronously() async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let (events, loop) = (Events(), channels.loop)
      let ended = loop.makePromise(of: Void.self)
      let count = Atomic<Int>(0)
      let body: @Sendable (RepeatedTask) -> EventLoopFuture<Void> = { task in
        let number = count.add(1, ordering: .relaxed).newValue
        events.note("begins \(number)")
        return loop.scheduleTask(in: .milliseconds(1)) {
          events.note("ends \(number)")
          if number == 3 { task.cancel() }
        }.futureResult
      }
      loop.scheduleRepeatedAsyncTask(initialDelay: .zero, delay: .zero, notifying: ended, body)
      _ = await Task { try await ended.futureResult.get() }.result
      return events.all
    }
  }
}

import AsyncIONIO
import NIOCore
import Synchronization
import Testing

/// What calls back later: scheduled callbacks, tasks whose future counts, handlers that look for idle channels.
@Suite("Callbacks come, or their end is told, as on NIO's loops", .timeLimit(.minutes(1)))
struct CallbackTests {
  private struct Noted: NIOScheduledCallbackHandler, Sendable {
    let name: String
    let events: Events
    var also: @Sendable () -> Void = {}

    func handleScheduledCallback(eventLoop: some NIOCore.EventLoop) {
      events.note("\(name) \(eventLoop.inEventLoop)")
      also()
    }
    func didCancelScheduledCallback(eventLoop: some NIOCore.EventLoop) {
      events.note("\(name) cancelled \(eventLoop.inEventLoop)")
    }
  }

  @Test("Scheduled callbacks: their time, their cancel, a second cancel")
  func scheduled() async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let (events, loop) = (Events(), channels.loop)
      try await loop.submit {
        // Of one time: between two calls a busy machine may let milliseconds pass.
        let now = loop.now
        let never = try loop.scheduleCallback(
          at: now + .milliseconds(1), handler: Noted(name: "never", events: events))
        try loop.scheduleCallback(at: now + .milliseconds(3), handler: Noted(name: "late", events: events))
        let early = try loop.scheduleCallback(
          at: now + .milliseconds(2), handler: Noted(name: "early", events: events))
        try loop.assumeIsolated().scheduleCallback(at: now, handler: Noted(name: "isolated", events: events))
        never.cancel()
        never.cancel()
        loop.scheduleTask(deadline: now + .milliseconds(3)) { early.cancel() }
      }.get()
      try await events.wait(for: "late true")
      try await loop.scheduleTask(in: .milliseconds(1)) {}.futureResult.get()
      return events.all
    }
  }

  @Test("Every wait goes by the clock of the loop: in a world, hours pass at once, to the nanosecond")
  func virtualHours() async throws {
    let times = try await Site.simulation.run { channels in
      let (events, loop) = (Events(), channels.loop)
      let times = Mutex<[TimeAmount]>([])
      let begin = try await loop.submit {
        let begin = loop.now
        let note: @Sendable () -> Void = { times.withLock { $0.append(loop.now - begin) } }
        loop.scheduleTask(in: .hours(1), note)
        try loop.scheduleCallback(in: .hours(2), handler: Noted(name: "callback", events: events, also: note))
        loop.flatScheduleTask(in: .hours(3)) { loop.submit(note) }
        loop.scheduleRepeatedTask(initialDelay: .hours(4), delay: .hours(1)) { task in
          note()
          task.cancel()
        }
        try loop.assumeIsolated().scheduleCallback(
          in: .hours(5), handler: Noted(name: "isolated", events: events, also: note))
        return begin
      }.get()
      try await loop.scheduleTask(deadline: begin + .hours(6)) {}.futureResult.get()
      return times.withLock { $0 }
    }
    #expect(times.count == 5)
    for (hours, time) in zip(Int64(1)..., times) {
      #expect(time >= .hours(hours) && time < .hours(hours) + .milliseconds(1), "\(time) for \(hours) hours")
    }
  }

  @Test("A callback whose loop ends first is cancelled")
  func end() async throws {
    var seen: [[String]] = []
    for site in Site.real {
      let events = Events()
      try await site.run { channels in
        _ = try channels.loop.scheduleCallback(in: .hours(1), handler: Noted(name: "callback", events: events))
        try await channels.loop.submit {}.get()
      }
      try await events.wait(for: "callback cancelled true")
      seen.append(events.all)
    }
    #expect(seen.allSatisfy { $0 == seen[0] })
  }

  @Test("A task whose future counts: its result, its error, its cancel")
  func flat() async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let (events, loop) = (Events(), channels.loop)
      let (good, bad, never) = try await loop.submit {
        let good = loop.flatScheduleTask(in: .milliseconds(1)) {
          loop.scheduleTask(in: .milliseconds(1)) { events.note("inner") }.futureResult
        }
        let bad = loop.flatScheduleTask(in: .milliseconds(1)) { () -> EventLoopFuture<Void> in throw Deed.Trouble() }
        let never = loop.flatScheduleTask(in: .milliseconds(1)) {
          events.note("never")
          return loop.makeSucceededVoidFuture()
        }
        for (name, task) in [("good", good), ("bad", bad), ("never", never)] { events.watch(name, task.futureResult) }
        never.cancel()
        return (good, bad, never)
      }.get()
      for task in [good, bad, never] { _ = await Task { try await task.futureResult.get() }.result }
      // After its end.
      good.cancel()
      try await loop.submit {}.get()
      return events.all
    }
  }

  @Test("An idle channel is told so: reading, writing, both; a channel that closes is not")
  func idle() async throws {
    try await compare(Site.oursAndSimulation) { channels in
      let events = Events()
      let listener = try await channels.listen { channel in
        let idle = IdleStateHandler(
          readTimeout: .milliseconds(2), writeTimeout: .milliseconds(6), allTimeout: .milliseconds(10))
        try channel.pipeline.syncOperations.addHandlers(idle, FirstEvents(events))
      }
      let channel = try await channels.connect(listener.localAddress!)
      try await events.wait(for: "all")
      try await channel.close()
      try await events.wait(for: "removed")
      try await listener.close()
      return events.all
    }
  }

  @Test("Idle handlers go by the clock of the loop as well")
  func idleForHours() async throws {
    let gaps = try await Site.simulation.run { channels in
      let (events, loop) = (Events(), channels.loop)
      let begin = loop.now
      let times = Mutex<[TimeAmount]>([])
      let listener = try await channels.listen { channel in
        let handlers: [any ChannelHandler] = [
          IdleStateHandler(readTimeout: .hours(3)),
          FirstEvents(events) { times.withLock { $0.append(loop.now - begin) } },
        ]
        try channel.pipeline.syncOperations.addHandlers(handlers)
      }
      let channel = try await channels.connect(listener.localAddress!)
      try await events.wait(for: "read", within: .seconds(4 * 3600))
      try await channel.close()
      try await listener.close()
      return times.withLock { $0 }
    }
    #expect(gaps.count == 1 && gaps[0] >= .hours(3) && gaps[0] < .hours(3) + .milliseconds(1))
  }
}

/// Notes the first event of each kind of idleness.
private final class FirstEvents: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let events: Events
  private let also: () -> Void

  init(_ events: Events, also: @escaping () -> Void = {}) { (self.events, self.also) = (events, also) }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard let idle = event as? IdleStateHandler.IdleStateEvent, !events.all.contains("\(idle)") else { return }
    events.note("\(idle)")
    also()
  }

  func handlerRemoved(context: ChannelHandlerContext) { events.note("removed") }
}

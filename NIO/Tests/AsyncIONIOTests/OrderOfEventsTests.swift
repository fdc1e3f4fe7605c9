import Glibc
import NIOCore
import Testing

/// The same program on NIO's own channels and on ours: the handlers are told the same, in the same order.
@Suite("Handlers are told what NIO tells them", .timeLimit(.minutes(2)))
struct OrderOfEventsTests {
  @Test("A connection that the client closes after an echo", arguments: Site.oursAndSimulation)
  func echo(site: Site) async throws {
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      let listener = try await channels.listen { channel in
        try channel.pipeline.syncOperations.addHandlers(Noting(server), Echo())
      }
      let channel = try await channels.connect(listener.localAddress!) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(client))
      }
      try await channels.onLoop(channel) {
        client.watch("closeFuture", channel.closeFuture)
        client.watch("write", channel.written("hello"))
      }
      try await client.wait(for: "read 5")
      try await channels.onLoop(channel) { client.watch("close", channel.closed()) }
      try await client.wait(for: "removed")
      try await server.wait(for: "removed")
      try await listener.close()
      return server.all + ["client"] + client.all
    }
  }

  @Test(
    "A close in each callback", arguments: Site.oursAndSimulation, ["added", "registered", "active true", "read 5"])
  func closeInCallback(site: Site, event: String) async throws {
    try await compare(site) { channels in
      let events = Events()
      let listener = try await channels.listen { channel in
        try channel.pipeline.syncOperations.addHandler(
          Noting(events) { name, context in
            if name == event { events.watch("own close", context.channel.closed()) }
          })
      }
      let channel = try await channels.connect(listener.localAddress!)
      try? await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await events.wait(for: "removed")
      try? await channel.close()
      try await listener.close()
      return events.all
    }
  }

  @Test("Half a close, from each side", arguments: Site.oursAndSimulation, [true, false])
  func halfClose(site: Site, isAllowed: Bool) async throws {
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      let options = Channels.Options(halfClosure: isAllowed)
      let listener = try await channels.listen(options) { channel in
        try channel.pipeline.syncOperations.addHandler(
          Noting(server) { name, context in
            guard name == "event inputClosed" else { return }
            server.watch("answer", context.channel.written("late"))
            server.watch("close", context.channel.closed())
          })
      }
      let channel = try await channels.connect(listener.localAddress!, options) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(client))
      }
      try await channels.onLoop(channel) {
        client.watch("write", channel.written("hello"))
        client.watch("output", channel.closed(.output))
      }
      try await server.wait(for: "removed")
      try await client.wait(for: "removed")
      try await channels.onLoop(channel) { client.watch("late", channel.closed()) }
      try await listener.close()
      return server.all + ["client"] + client.all
    }
  }

  @Test("Writes on a channel that is closed, and a second close", arguments: Site.oursAndSimulation)
  func afterClose(site: Site) async throws {
    try await compare(site) { channels in
      let events = Events()
      let listener = try await channels.listen { _ in }
      let channel = try await channels.connect(listener.localAddress!) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      try await channel.close()
      try await events.wait(for: "removed")
      events.watch("write", channel.written("x"))
      events.watch("close", channel.closed())
      events.watch("option", channel.setOption(.autoRead, value: false))
      try await events.wait(for: "option failed: I/O on closed channel")
      try await listener.close()
      return events.all + ["\(channel.isActive)", "\(channel.localAddress == nil)"]
    }
  }

  @Test("A port where nobody listens", arguments: Site.oursAndSimulation)
  func refused(site: Site) async throws {
    try await compare(site) { channels in
      let events = Events()
      let listener = try await channels.listen { _ in }
      let address = listener.localAddress!
      try await listener.close()
      do {
        _ = try await channels.connect(address) { channel in
          try channel.pipeline.syncOperations.addHandler(Noting(events))
        }
        return ["connected"]
      } catch {
        try await events.wait(for: "removed")
        return events.all + ["connect: \(Events.name(of: error))"]
      }
    }
  }

  @Test(
    "A peer that resets: while the channel reads, and after it has written", arguments: Site.oursAndSimulation,
    [false, true])
  func reset(site: Site, hasWritten: Bool) async throws {
    try await compare(site) { channels in
      let events = Events()
      let listener = try await channels.listen { channel in
        try channel.pipeline.syncOperations.addHandler(
          Noting(events) { event, context in
            if event == "read 5" && hasWritten { events.watch("write", context.channel.written("answer")) }
          })
      }
      let channel = try await channels.connect(listener.localAddress!, Channels.Options(autoRead: false))
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await events.wait(for: hasWritten ? "write succeeded" : "read 5")
      try await (channel as! any SocketOptionProvider).setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
      try await channel.close()
      try await events.wait(for: "removed")
      try await listener.close()
      return events.all
    }
  }

  @Test("An initializer that fails refuses its client, and the server goes on", arguments: Site.oursAndSimulation)
  func failingInitializer(site: Site) async throws {
    try await compare(site) { channels in
      struct NotToday: Error {}
      let (events, server) = (Events(), Events())
      let listener = try await channels.listen(
        server: { channel in
          try channel.pipeline.syncOperations.addHandler(ErrorsOf(server))
        },
        child: { _ in throw NotToday() })
      for _ in 0..<2 {
        let channel = try await channels.connect(listener.localAddress!) { channel in
          try channel.pipeline.syncOperations.addHandler(Noting(events))
        }
        try await channel.closeFuture.get()
      }
      try await listener.close()
      return events.all + server.all
    }
  }

  @Test("An address in use", arguments: Site.oursAndSimulation)
  func inUse(site: Site) async throws {
    try await compare(site) { channels in
      let listener = try await channels.listen { _ in }
      let seen: String
      do {
        _ = try await channels.listen(on: listener.localAddress!) { _ in }
        seen = "listens"
      } catch {
        seen = Events.name(of: error)
      }
      try await listener.close()
      return [seen]
    }
  }

  @Test("Options: what was set is there, for channels of both kinds", arguments: Site.oursAndSimulation)
  func options(site: Site) async throws {
    try await compare(site) { channels in
      let listener = try await channels.listen { _ in }
      let channel = try await channels.connect(listener.localAddress!)
      var seen: [String] = []
      seen.append("\(try await channel.getOption(.tcpOption(.tcp_nodelay)).get() != 0)")
      try await channel.setOption(.socketOption(.so_keepalive), value: 1).get()
      seen.append("\(try await channel.getOption(.socketOption(.so_keepalive)).get() != 0)")
      try await channel.setOption(.maxMessagesPerRead, value: 7).get()
      seen.append("\(try await channel.getOption(.maxMessagesPerRead).get())")
      seen.append("\(try await channel.getOption(.autoRead).get())")
      seen.append("\(try await channel.getOption(.allowRemoteHalfClosure).get())")
      seen.append("\(try await channel.getOption(.writeBufferWaterMark).get())")
      seen.append("\(try await channel.getOption(.writeSpin).get())")
      seen.append("\(try await listener.getOption(.backlog).get())")
      seen.append("\(try await listener.getOption(.socketOption(.so_reuseaddr)).get() != 0)")
      let synchronous = try await channels.onLoop(channel) {
        let options = channel.syncOptions!
        try options.setOption(.autoRead, value: false)
        return try options.getOption(.autoRead)
      }
      seen.append("\(synchronous)")
      try await channel.close()
      try await listener.close()
      return seen
    }
  }

  @Test("A Unix socket, whose file goes with it", arguments: Site.ours)
  func unix(site: Site) async throws {
    let path = "/tmp/asyncio-nio-\(site)-\(UInt32.random(in: 0...UInt32.max))"
    try await compare(site) { channels in
      let server = Events()
      unlink(path)
      let address = try NIOCore.SocketAddress(unixDomainSocketPath: path)
      let listener = try await channels.listen(on: address) { channel in
        try channel.pipeline.syncOperations.addHandlers(Noting(server), Echo())
      }
      let client = Events()
      let channel = try await channels.connect(address) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(client))
      }
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await client.wait(for: "read 5")
      try await channel.close()
      try await server.wait(for: "removed")
      try await listener.close()
      defer { unlink(path) }
      // NIO's own forgets its address after the promise, in the same turn.
      let hasForgotten = try await channels.onLoop(listener) { listener.localAddress == nil }
      return server.all + ["\(access(path, F_OK) == 0)", "\(hasForgotten)"]
    }
  }
}

/// Notes the errors of a listening channel.
final class ErrorsOf: ChannelInboundHandler {
  typealias InboundIn = any Channel
  private let events: Events
  init(_ events: Events) { self.events = events }
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    events.note("error \(Events.name(of: error))")
    context.fireErrorCaught(error)
  }
}

/// Sends back what comes.
final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }
}

extension Channel {
  // As futures: in a task the calls would be their asynchronous forms.
  func closed(_ mode: CloseMode = .all) -> EventLoopFuture<Void> { close(mode: mode) }
  func written(_ text: String) -> EventLoopFuture<Void> { writeAndFlush(ByteBuffer(string: text)) }
}

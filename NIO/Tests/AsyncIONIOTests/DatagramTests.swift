import Glibc
import NIOCore
import Testing

/// The same program on NIO's channels for datagrams and on ours.
@Suite("Datagrams are told as NIO tells them", .timeLimit(.minutes(2)))
struct DatagramTests {
  @Test(
    "An answer to each datagram, an empty one among them, and the end", arguments: Site.oursAndSimulation,
    ["127.0.0.1", "::1"])
  func echo(site: Site, host: String) async throws {
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      let address = try NIOCore.SocketAddress(ipAddress: host, port: 0)
      let answering: any Channel
      do {
        answering = try await channels.bindDatagrams(address) { channel in
          try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server, answers: true))
        }
      } catch {
        // A machine without IPv6.
        return [Events.name(of: error)]
      }
      let asking = try await channels.bindDatagrams(address) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(client))
      }
      for text in ["hello", "", String(repeating: "x", count: 1400)] {
        try await asking.sent(text, to: answering.localAddress!).get()
        try await client.wait(for: "datagram \(text.count)")
      }
      try await channels.onLoop(asking) { client.watch("close", asking.closed()) }
      try await client.wait(for: "removed")
      try await answering.close()
      try await server.wait(for: "removed")
      // NIO's own forgets its address after the promise, in the same turn.
      let hasForgotten = try await channels.onLoop(answering) { answering.localAddress == nil }
      return server.all + ["client"] + client.all
        + ["\(answering.isActive)", "\(hasForgotten)", "\(answering.remoteAddress == nil)"]
    }
  }

  @Test("Connected: bytes go to the peer, and only it is heard", arguments: Site.oursAndSimulation)
  func connected(site: Site) async throws {
    try await compare(site) { channels in
      let (server, client, other) = (Events(), Events(), Events())
      let answering = try await channels.bindDatagrams { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server, answers: true))
      }
      let channel = try await channels.connectDatagrams(answering.localAddress!) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(client))
      }
      let stranger = try await channels.bindDatagrams()
      other.watch("stranger", stranger.sent("from elsewhere", to: channel.localAddress!))
      other.watch("bytes without a receiver", stranger.written("x"))
      try await other.wait(for: "bytes without a receiver failed: WriteOnUnconnectedSocketWithoutAddress")
      try await channels.onLoop(channel) { client.watch("bytes", channel.written("hello")) }
      try await client.wait(for: "datagram 5")
      let peer = answering.localAddress!
      try await channels.onLoop(channel) { client.watch("envelope", channel.sent("again!", to: peer)) }
      try await client.wait(for: "datagram 6")
      client.watch("elsewhere", channel.sent("x", to: stranger.localAddress!))
      try await client.wait(for: "elsewhere failed: WriteOnConnectedSocketWithInvalidAddress")
      let isPeer = channel.remoteAddress == answering.localAddress
      for channel in [channel, stranger, answering] { try await channel.close() }
      try await server.wait(for: "removed")
      try await client.wait(for: "removed")
      return server.all + ["client"] + client.all + ["other"] + other.all + ["\(isPeer)"]
    }
  }

  @Test("A datagram that is too long fails, and the others go", arguments: Site.oursAndSimulation)
  func tooLong(site: Site) async throws {
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      let receiving = try await channels.bindDatagrams { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server))
      }
      let channel = try await channels.bindDatagrams { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(client))
      }
      let address = receiving.localAddress!
      try await channels.onLoop(channel) {
        for (index, size) in [3, 70_000, 4].enumerated() {
          let write: EventLoopFuture<Void> = channel.write(
            Envelope(remoteAddress: address, data: ByteBuffer(repeating: 1, count: size)))
          client.watch("write \(index)", write)
        }
        channel.flush()
      }
      try await server.wait(for: "datagram 4")
      try await client.wait(for: "write 2 succeeded")
      try await channel.close()
      try await receiving.close()
      try await server.wait(for: "removed")
      try await client.wait(for: "removed")
      return server.all + ["client"] + client.all
    }
  }

  @Test("A port where nobody receives is an error, and the channel goes on", arguments: Site.ours)
  func refused(site: Site) async throws {
    try await compare(site) { channels in
      let (client, server) = (Events(), Events())
      let gone = try await channels.bindDatagrams(try NIOCore.SocketAddress(ipAddress: Site.quietHost(), port: 0))
      let address = gone.localAddress!
      try await gone.close()
      let channel = try await channels.connectDatagrams(address) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(client))
      }
      try await channels.onLoop(channel) { client.watch("write", channel.written("hello")) }
      try await client.wait(for: "error errno \(ECONNREFUSED)")
      let again = try await channels.bindDatagrams(address) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server, answers: true))
      }
      try await channels.onLoop(channel) { client.watch("second", channel.written("again!")) }
      try await client.wait(for: "datagram 6")
      try await channel.close()
      try await again.close()
      try await client.wait(for: "removed")
      return client.all
    }
  }

  @Test("What is longer than its buffer is cut", arguments: Site.oursAndSimulation)
  func cut(site: Site) async throws {
    try await compare(site) { channels in
      let server = Events()
      var options = Channels.DatagramOptions.standard
      options.receiveSize = 16
      let receiving = try await channels.bindDatagrams(Channels.anyPort, options) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server))
      }
      let channel = try await channels.bindDatagrams()
      for text in [String(repeating: "x", count: 100), "end"] {
        try await channel.sent(text, to: receiving.localAddress!).get()
      }
      try await server.wait(for: "datagram 3")
      try await channel.close()
      try await receiving.close()
      try await server.wait(for: "removed")
      return server.all
    }
  }

  @Test("Without auto-read a read brings no more than `maxMessagesPerRead`", arguments: Site.ours, [1, 3] as [UInt])
  func readByHand(site: Site, count: UInt) async throws {
    try await compare(site) { channels in
      let server = Events()
      var options = Channels.DatagramOptions.standard
      (options.autoRead, options.messagesPerRead) = (false, count)
      let receiving = try await channels.bindDatagrams(Channels.anyPort, options) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server, notesCompletion: true))
      }
      let channel = try await channels.bindDatagrams()
      for number in 1...5 {
        try await channel.sent(String(repeating: "x", count: number), to: receiving.localAddress!).get()
      }
      // On the loopback what was sent is there.
      try await channels.onLoop(receiving) { server.note("asked") }
      receiving.read()
      try await server.wait(for: "all read")
      try await channels.onLoop(receiving) { server.note("again") }
      try await receiving.setOption(.autoRead, value: true).get()
      try await server.wait(for: "datagram 5")
      try await channel.close()
      try await receiving.close()
      try await server.wait(for: "removed")
      return server.all.filter { $0 != "all read" } + [server.all.prefix { $0 != "again" }.joined(separator: " ")]
    }
  }

  @Test("The water marks, and what was not flushed fails at the close", arguments: Site.oursAndSimulation)
  func waterMarks(site: Site) async throws {
    try await compare(site) { channels in
      let events = Events()
      var options = Channels.DatagramOptions.standard
      options.waterMark = .init(low: 100, high: 1000)
      let receiving = try await channels.bindDatagrams()
      let address = receiving.localAddress!
      let channel = try await channels.bindDatagrams(Channels.anyPort, options) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(events))
      }
      try await channels.onLoop(channel) {
        for (index, size) in [500, 500, 1, 1].enumerated() {
          let write: EventLoopFuture<Void> = channel.write(
            Envelope(remoteAddress: address, data: ByteBuffer(repeating: 7, count: size)))
          events.watch("write \(index)", write)
        }
        events.note("flush")
        channel.flush()
        events.note("flushed \(channel.isWritable)")
        let late: EventLoopFuture<Void> = channel.write(
          Envelope(remoteAddress: address, data: ByteBuffer(repeating: 7, count: 2000)))
        events.watch("late", late)
        events.watch("close", channel.closed())
        events.watch("too late", channel.sent("x", to: address))
      }
      try await events.wait(for: "removed")
      try await receiving.close()
      return events.all
    }
  }

  @Test("Half a close is refused, and a second one", arguments: Site.oursAndSimulation)
  func halfClose(site: Site) async throws {
    try await compare(site) { channels in
      let events = Events()
      let channel = try await channels.bindDatagrams()
      try await channels.onLoop(channel) {
        events.watch("output", channel.closed(.output))
        events.watch("input", channel.closed(.input))
        events.watch("all", channel.closed())
        events.watch("again", channel.closed())
      }
      try await channel.closeFuture.get()
      try await events.wait(for: "all succeeded")
      return events.all
    }
  }

  @Test("A channel that is bound connects, and what waits then fails", arguments: Site.oursAndSimulation)
  func bindsAndConnects(site: Site) async throws {
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      let receiving = try await channels.bindDatagrams { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server))
      }
      let address = receiving.localAddress!
      let channel = try await channels.bindDatagrams { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(client))
      }
      try await channels.onLoop(channel) {
        let early: EventLoopFuture<Void> = channel.write(
          Envelope(remoteAddress: address, data: ByteBuffer(string: "early")))
        client.watch("early", early)
        let connecting: EventLoopFuture<Void> = channel.connect(to: address)
        client.watch("connect", connecting)
        client.watch("write", channel.written("one"))
      }
      try await server.wait(for: "datagram 3")
      let isPeer = channel.remoteAddress == address
      for channel in [receiving, channel] { try await channel.close() }
      try await client.wait(for: "removed")
      try await server.wait(for: "removed")
      return server.all + client.all + ["\(isPeer)"]
    }
  }
}

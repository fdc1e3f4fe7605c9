import AsyncIO
import AsyncIONIO
import AsyncIOSimulation
import Glibc
import NIOCore
import NIOPosix
import Testing

/// What channels for datagrams have besides datagrams: options, groups, Unix sockets, sequences, simulated worlds.
@Suite("Channels for datagrams have what NIO's have", .timeLimit(.minutes(2)))
struct DatagramFeatureTests {
  @Test("Options: what was set is there", arguments: Site.ours)
  func options(site: Site) async throws {
    try await compare(site) { channels in
      let channel = try await channels.bindDatagrams()
      var seen: [String] = []
      seen.append("\(try await channel.getOption(.socketOption(.so_broadcast)).get() != 0)")
      try await channel.setOption(.socketOption(.so_broadcast), value: 1).get()
      seen.append("\(try await channel.getOption(.socketOption(.so_broadcast)).get() != 0)")
      try await channel.setOption(.ipOption(.ip_multicast_ttl), value: 7).get()
      seen.append("\(try await channel.getOption(.ipOption(.ip_multicast_ttl)).get())")
      try await channel.setOption(.ipOption(.ip_multicast_loop), value: 0).get()
      seen.append("\(try await channel.getOption(.ipOption(.ip_multicast_loop)).get())")
      seen.append("\(try await channel.getOption(.maxMessagesPerRead).get())")
      seen.append("\(try await channel.getOption(.autoRead).get())")
      seen.append("\(try await channel.getOption(.writeBufferWaterMark).get())")
      seen.append("\(try await channel.getOption(.writeSpin).get())")
      seen.append("\(try await channel.getOption(.bufferedWritableBytes).get())")
      seen.append("\(try await channel.getOption(.recvAllocator).get())".components { $0 == "(" })
      try await channel.close()
      return seen
    }
  }

  @Test("What is not offered is an error, not an end of the process", arguments: Site.ours)
  func unsupported(site: Site) async throws {
    try await site.run { channels in
      let channel = try await channels.bindDatagrams()
      await #expect(throws: (any Error).self) { try await channel.setOption(.connectTimeout, value: nil).get() }
      await #expect(throws: (any Error).self) { try await channel.writeAndFlush("neither bytes nor an envelope") }
      try await channel.close()
    }
  }

  /// Groups that every machine is a member of anyway: nothing is sent for these.
  @Test("Groups are joined and left once, and what is not a group is refused", arguments: Site.ours, ["0.0.0.0", "::"])
  func groups(site: Site, host: String) async throws {
    try await compare(site) { channels in
      let channel = try await channels.bindDatagrams(try NIOCore.SocketAddress(ipAddress: host, port: 0))
      let multicast = try #require(channel as? any MulticastChannel)
      let loopback = try System.enumerateDevices().first { $0.address?.ipAddress == "127.0.0.1" }
      let events = Events()
      for group in ["224.0.0.1", "10.0.0.1", "ff02::1"] {
        let address = try NIOCore.SocketAddress(ipAddress: group, port: 1)
        let changes: [@Sendable () -> EventLoopFuture<Void>] = [
          { multicast.joinGroup(address) }, { multicast.joinGroup(address) }, { multicast.leaveGroup(address) },
          { multicast.leaveGroup(address) }, { multicast.joinGroup(address, device: loopback) },
        ]
        for (index, change) in changes.enumerated() {
          try await channels.onLoop(channel) { events.watch("\(group) \(index)", change()) }
        }
      }
      try await channels.onLoop(channel) {}
      try await channel.close()
      return events.all
    }
  }

  @Test("An address in use, and one that is not of this machine", arguments: Site.ours)
  func refusedAddresses(site: Site) async throws {
    try await compare(site) { channels in
      let channel = try await channels.bindDatagrams()
      var seen: [String] = []
      for address in [channel.localAddress!, try NIOCore.SocketAddress(ipAddress: "192.0.2.1", port: 1)] {
        do {
          _ = try await channels.bindDatagrams(address)
          seen.append("bound")
        } catch {
          seen.append(Events.name(of: error))
        }
      }
      try await channel.close()
      return seen
    }
  }

  @Test("Unix sockets, and a queue that is full meanwhile", arguments: Site.ours)
  func unix(site: Site) async throws {
    let path = "/tmp/asyncio-nio-datagrams-\(site)-\(UInt32.random(in: 0...UInt32.max))"
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      unlink(path)
      unlink(path + "-2")
      defer {
        unlink(path)
        unlink(path + "-2")
      }
      let address = try NIOCore.SocketAddress(unixDomainSocketPath: path)
      let receiving = try await channels.bindDatagrams(address) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server))
      }
      let channel = try await channels.bindDatagrams(
        try NIOCore.SocketAddress(unixDomainSocketPath: path + "-2"))
      try await channel.connect(to: address)
      try await channels.onLoop(channel) {
        for index in 1...100 {
          client.watch("\(index)", channel.sent(String(repeating: "x", count: index), to: address))
        }
      }
      try await server.wait(for: "datagram 100")
      try await client.wait(for: "100 succeeded")
      try await channel.close()
      try await receiving.close()
      try await server.wait(for: "removed")
      return server.all + client.all + ["\(access(path, F_OK) == 0)"]
    }
  }

  /// NIO's channel closes when a sender has no name, and ends the process when one that is not connected sends.
  @Test("A Unix sender without a name, and one that is not connected", arguments: Site.ours, [true, false])
  func unixSenders(site: Site, isConnected: Bool) async throws {
    try await site.run { channels in
      let (server, client) = (Events(), Events())
      let path = "/tmp/asyncio-nio-senders-\(site)-\(isConnected)-\(UInt32.random(in: 0...UInt32.max))"
      defer {
        unlink(path)
        unlink(path + "-2")
      }
      let address = try NIOCore.SocketAddress(unixDomainSocketPath: path)
      let receiving = try await channels.bindDatagrams(address) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(server))
      }
      let channel =
        isConnected
        ? try await channels.connectDatagrams(address)
        : try await channels.bindDatagrams(try NIOCore.SocketAddress(unixDomainSocketPath: path + "-2"))
      try await channels.onLoop(channel) {
        for index in 1...100 {
          client.watch("\(index)", channel.sent(String(repeating: "x", count: index), to: address))
        }
      }
      try await server.wait(for: "datagram 100")
      try await client.wait(for: "100 succeeded")
      #expect(client.all == (1...100).map { "\($0) succeeded" })
      #expect(server.all.dropFirst(2) == (1...100).map { "datagram \($0)" }[...])
      try await channel.close()
      try await receiving.close()
    }
  }

  @Test("As a sequence of envelopes, bound and connected", arguments: Site.real)
  func sequence(site: Site) async throws {
    typealias Wrapped = NIOAsyncChannel<Envelope, Envelope>
    let wrap: @Sendable (any Channel) -> EventLoopFuture<Wrapped> = { channel in
      channel.eventLoop.makeCompletedFuture { try Wrapped(wrappingChannelSynchronously: channel) }
    }
    try await site.run { channels in
      let group = channels.group
      let server =
        site == .nio
        ? try await DatagramBootstrap(group: group).bind(host: "127.0.0.1", port: 0, channelInitializer: wrap)
        : try await AsyncIODatagramBootstrap(group: group).bind(host: "127.0.0.1", port: 0, channelInitializer: wrap)
      let port = server.channel.localAddress!.port!
      let client =
        site == .nio
        ? try await DatagramBootstrap(group: group).connect(host: "127.0.0.1", port: port, channelInitializer: wrap)
        : try await AsyncIODatagramBootstrap(group: group)
          .connect(host: "127.0.0.1", port: port, channelInitializer: wrap)
      try await server.executeThenClose { input, output in
        try await client.executeThenClose { answers, questions in
          let question = Envelope(remoteAddress: server.channel.localAddress!, data: ByteBuffer(string: "hello"))
          try await questions.write(question)
          for try await envelope in input {
            try await output.write(envelope)
            break
          }
          for try await answer in answers {
            #expect(answer.data == ByteBuffer(string: "hello"))
            break
          }
        }
      }
    }
  }

  @Test("A shutdown closes channels for datagrams, and opens no more", arguments: Site.ours)
  func shutdown(site: Site) async throws {
    let (events, group) = (Events(), try site.makeGroup())
    let channels = Channels(site: site, group: group)
    let channel = try await channels.bindDatagrams { channel in
      try channel.pipeline.syncOperations.addHandler(NotingDatagrams(events))
    }
    try await group.shutdownGracefully()
    #expect(events.all.last == "removed" && !channel.isActive)
    await #expect(throws: (any Error).self) { _ = try await channels.bindDatagrams() }
  }

  /// Questions are asked again until they are answered: a network loses datagrams.
  @Test("In a simulated world, with and without faults of the network", arguments: [false, true])
  func simulated(hasFaults: Bool) async throws {
    let report = try await simulate(seeds: 0..<30, faults: hasFaults ? .hostile : .none) { world in
      world.host("server").start {
        let channel = try await AsyncIODatagramBootstrap(group: AsyncIOEventLoop.running())
          .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
              try channel.pipeline.syncOperations.addHandler(NotingDatagrams(Events(), answers: true))
            }
          }
          .bind(host: "10.0.0.1", port: 53).get()
        try? await sleep(for: .seconds(1_000_000))
        try await channel.close()
      }
      try await world.host("client").run {
        try await sleep(for: .seconds(10))
        let events = Events()
        let channel = try await AsyncIODatagramBootstrap(group: AsyncIOEventLoop.running())
          .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
              try channel.pipeline.syncOperations.addHandler(NotingDatagrams(events))
            }
          }
          .connect(host: "10.0.0.1", port: 53).get()
        var attempts = 0
        while !events.all.contains("datagram 5"), attempts < 1000 {
          attempts += 1
          try? await channel.writeAndFlush(ByteBuffer(string: "hello"))
          try await sleep(for: .seconds(1))
        }
        try world.require(events.all.contains("datagram 5"), "no answer: \(events.all)")
        try world.require(hasFaults || attempts == 1, "\(attempts) attempts without a fault")
        try await channel.close()
      }
    }
    #expect(report.seeds == 30)
  }
}

extension String {
  /// The part before the first character for which the body is true.
  fileprivate func components(_ isEnd: (Character) -> Bool) -> String { String(prefix { !isEnd($0) }) }
}

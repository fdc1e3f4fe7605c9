import AsyncIO
import AsyncIONIO
import Glibc
import NIOCore
import NIOPosix
import Testing

/// Sockets that others have bound or connected: the same program on NIO's channels and on ours.
@Suite("Sockets that others have made", .timeLimit(.minutes(2)))
struct TakenSocketTests {
  enum Place: String, CaseIterable, Sendable { case ipv4, ipv6, unix }

  /// An address of a kind, and what to do at the end.
  private static func address(_ place: Place, _ site: Site) throws -> NIOCore.SocketAddress {
    switch place {
    case .ipv4: try NIOCore.SocketAddress(ipAddress: Site.quietHost(), port: 0)
    case .ipv6: try NIOCore.SocketAddress(ipAddress: "::1", port: 0)
    case .unix:
      try NIOCore.SocketAddress(
        unixDomainSocketPath: "/tmp/asyncio-nio-taken-\(site)-\(UInt32.random(in: 0...UInt32.max))")
    }
  }

  @Test("A bound socket becomes a server, whether it listens already or not", arguments: Place.allCases, [true, false])
  func server(place: Place, listens: Bool) async throws {
    try await compare { channels in
      let (server, child, client) = (Events(), Events(), Events())
      let address = try Self.address(place, channels.site)
      let socket = try RawSocket.bound(address, listens: listens)
      let listener = try await channels.take(bound: socket) { channel in
        try channel.pipeline.syncOperations.addHandler(Acting("server", server))
      } child: { channel in
        try channel.pipeline.syncOperations.addHandlers(Noting(child), Echo())
      }
      let isNamed = listener.localAddress == (place == .unix ? address : listener.localAddress!)
      let channel = try await channels.connect(listener.localAddress!) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(client))
      }
      try await channels.onLoop(channel) { client.watch("write", channel.written("hello")) }
      try await client.wait(for: "read 5")
      try await channel.close()
      try await child.wait(for: "removed")
      try await listener.close()
      try await server.wait(for: "server removed")
      // The file stays: the test has bound the socket.
      let fileExists = place == .unix && access(address.pathname!, F_OK) == 0
      if place == .unix { unlink(address.pathname!) }
      return server.all + child.all + client.all + ["\(isNamed) \(listener.isActive) \(socket.isOpen) \(fileExists)"]
    }
  }

  @Test("A connected socket becomes a client", arguments: Place.allCases, [true, false])
  func client(place: Place, halfClosure: Bool) async throws {
    try await compare { channels in
      let (child, client) = (Events(), Events())
      let listener = try await channels.listen(
        Channels.Options(halfClosure: true), on: try Self.address(place, channels.site)
      ) { channel in
        try channel.pipeline.syncOperations.addHandlers(
          Noting(child) { name, context in
            if name == "event inputClosed" { context.channel.close(promise: nil) }
          }, Echo())
      }
      let socket = try RawSocket.connected(listener.localAddress!)
      // What has come before is read as well.
      socket.write("early")
      let channel = try await channels.take(connected: socket, halfClosure: halfClosure) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(client))
      }
      let isNamed = channel.remoteAddress == listener.localAddress
      let hasNoDelay = place == .unix ? 1 : try await channel.getOption(.tcpOption(.tcp_nodelay)).get()
      try await client.wait(for: "read 5")
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await child.wait(for: "read 10")
      try await client.wait(for: "read 10")
      try await channels.onLoop(channel) { client.watch("output", channel.closed(.output)) }
      await client.wait(for: "event inputClosed", orElse: "removed")
      if halfClosure { try await channels.onLoop(channel) { client.watch("close", channel.closed()) } }
      try await client.wait(for: "removed")
      try await child.wait(for: "removed")
      try await listener.close()
      return Self.joined(client.all) + ["\(isNamed) \(hasNoDelay) \(socket.isOpen)"]
    }
  }

  /// The same events with all input counted together: how it is cut is the network's.
  private static func joined(_ events: [String]) -> [String] {
    let reads = events.compactMap { $0.hasPrefix("read ") ? Int($0.dropFirst(5)) : nil }
    return events.filter { !$0.hasPrefix("read ") && $0 != "complete" } + ["\(reads.reduce(0, +))"]
  }

  @Test("One end of a pair of sockets, whose other end talks and goes")
  func pair() async throws {
    try await compare { channels in
      let events = Events()
      let (mine, theirs) = try RawSocket.pair()
      let channel = try await channels.take(connected: mine) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      let heard = theirs.read()
      theirs.write("answer")
      try await events.wait(for: "read 6")
      theirs.close()
      try await events.wait(for: "removed")
      return events.all + ["\(heard ?? "nothing") \(mine.isOpen)"]
    }
  }

  @Test("A socket for datagrams, bound or connected as well", arguments: [false, true])
  func datagrams(isConnected: Bool) async throws {
    try await compare { channels in
      let (events, answers) = (Events(), Events())
      let peer = try await channels.bindDatagrams { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(answers, answers: true))
      }
      let socket =
        isConnected
        ? try RawSocket.connected(peer.localAddress!, RawSocket.datagrams)
        : try RawSocket.bound(Channels.anyPort, RawSocket.datagrams)
      let channel = try await channels.take(datagrams: socket) { channel in
        try channel.pipeline.syncOperations.addHandler(NotingDatagrams(events))
      }
      let isNamed = channel.localAddress != nil && (channel.remoteAddress == peer.localAddress) == isConnected
      let address = peer.localAddress!
      try await channels.onLoop(channel) { events.watch("write", channel.sent("hello", to: address)) }
      try await events.wait(for: "datagram 5")
      try await channel.close()
      try await peer.close()
      try await events.wait(for: "removed")
      return events.all + ["\(isNamed) \(socket.isOpen)"]
    }
  }

  // MARK: What goes wrong

  @Test("An initializer or an option that fails closes what was taken", arguments: [true, false])
  func failing(isOption: Bool) async throws {
    try await compare { channels in
      let option = isOption ? noOption : nil
      let fail: Channels.Initializer = { _ in if !isOption { throw Deed.Trouble() } }
      let bound = try RawSocket.bound(try channels.quietAddress())
      let (mine, theirs) = try RawSocket.pair()
      var seen: [String] = []
      do {
        _ = try await channels.take(bound: bound, option: option, server: fail)
        seen.append("made")
      } catch {
        seen.append(Events.name(of: error))
      }
      do {
        _ = try await channels.take(connected: mine, option: option, fail)
        seen.append("made")
      } catch {
        seen.append(Events.name(of: error))
      }
      seen.append("\(bound.isOpen) \(mine.isOpen) \(theirs.read() ?? "end")")
      theirs.close()
      return seen
    }
  }

  @Test("A handler that closes the channel when it is active")
  func closing() async throws {
    try await compare { channels in
      let (server, client) = (Events(), Events())
      let bound = try RawSocket.bound(try channels.quietAddress())
      let (mine, theirs) = try RawSocket.pair()
      _ = try await channels.take(bound: bound) { channel in
        try channel.pipeline.syncOperations.addHandler(Acting("server", server, .active, .closes))
      }
      _ = try await channels.take(connected: mine) { channel in
        try channel.pipeline.syncOperations.addHandler(Acting("client", client, .active, .closes))
      }
      try await server.wait(for: "server removed")
      try await client.wait(for: "client removed")
      theirs.close()
      return server.all + client.all + ["\(bound.isOpen) \(mine.isOpen)"]
    }
  }

  /// NIO never ends the future, or ends the process in debug builds.
  @Test(
    "An initializer or a handler that closes the channel before that", arguments: Site.ours,
    [Callback.added, .registered])
  func closingEarly(site: Site, callback: Callback) async throws {
    try await site.run { channels in
      let events = Events()
      let close: Channels.Initializer = { channel in
        try channel.pipeline.syncOperations.addHandler(Acting("handler", events, callback, .closes))
      }
      let bound = try RawSocket.bound(try channels.quietAddress())
      let (mine, theirs) = try RawSocket.pair()
      let datagrams = try RawSocket.bound(Channels.anyPort, RawSocket.datagrams)
      await #expect(throws: ChannelError.ioOnClosedChannel) { _ = try await channels.take(bound: bound, server: close) }
      await #expect(throws: ChannelError.ioOnClosedChannel) { _ = try await channels.take(connected: mine, close) }
      await #expect(throws: ChannelError.ioOnClosedChannel) { _ = try await channels.take(datagrams: datagrams, close) }
      #expect(!bound.isOpen && !mine.isOpen && !datagrams.isOpen && theirs.read() == nil)
      #expect(!events.all.contains { $0.hasPrefix("handler active") })
      theirs.close()
    }
  }

  /// NIO ends the process for some of these, in debug builds.
  @Test("What cannot be taken stays the caller's, as it was", arguments: Site.ours)
  func refused(site: Site) async throws {
    try await site.run { channels in
      let file = try TemporaryFile(10)
      let pipe = try Pipe()
      let (mine, theirs) = try RawSocket.pair()
      let (messages, otherMessages) = try RawSocket.pair(Int32(SOCK_SEQPACKET.rawValue))
      let bound = try RawSocket.bound(try channels.quietAddress(), listens: true)
      let fresh = try RawSocket(AF_INET, RawSocket.stream)
      let nameless = try RawSocket(AF_UNIX, RawSocket.stream)
      let datagrams = try RawSocket.bound(Channels.anyPort, RawSocket.datagrams)
      let netlink = try RawSocket(AF_NETLINK, RawSocket.datagrams)
      let others = try [RawSocket(pipe.reading), RawSocket(file.handle.withUnsafeFileDescriptor { $0 })]
      let all = [mine, theirs, messages, otherMessages, bound, fresh, nameless, datagrams, netlink] + others

      for socket in others + [mine, messages, nameless, datagrams, netlink] {
        try await expectRefusal(socket) { try await channels.take(bound: $0) }
      }
      for socket in others + [bound, messages, fresh, nameless, datagrams, netlink] {
        try await expectRefusal(socket) { try await channels.take(connected: $0) }
      }
      for socket in others + [mine, bound, messages, fresh, nameless, netlink] {
        try await expectRefusal(socket) { try await channels.take(datagrams: $0) }
      }
      for socket in all { #expect(socket.isOpen && socket.isBlocking, "\(socket.number)") }
      #expect(!fresh.listens && !nameless.listens)
      for socket in all where !others.contains(where: { $0.number == socket.number }) { socket.close() }
      close(pipe.reading)
      close(pipe.writing)
    }
  }

  /// Expect an error whose text names the socket and says what would be right.
  private func expectRefusal(
    _ socket: RawSocket, _ body: (RawSocket) async throws -> any Channel, at location: SourceLocation = #_sourceLocation
  ) async throws {
    do {
      _ = try await body(socket)
      Issue.record("\(socket.number) was taken", sourceLocation: location)
    } catch {
      let text = "\(error)"
      #expect(
        text.contains("\(socket.number)") && text.contains(". Give") || text.contains(". Connect")
          || text.contains(". Bind"), "\(text)", sourceLocation: location)
    }
  }

  @Test("Numbers that are not open", arguments: Site.ours, [CInt.min, -1, 100_000, .max])
  func numbers(site: Site, number: CInt) async throws {
    try await site.run { channels in
      let bootstraps: [() async throws -> any Channel] = [
        { try await AsyncIOServerBootstrap(group: channels.group).withBoundSocket(number).get() },
        { try await AsyncIOClientBootstrap(group: channels.group).withConnectedSocket(number).get() },
        { try await AsyncIODatagramBootstrap(group: channels.group).withBoundSocket(number).get() },
        {
          try await AsyncIOPipeBootstrap(group: channels.group).takingOwnershipOfDescriptor(inputOutput: number).get()
        },
      ]
      for bootstrap in bootstraps {
        await #expect { _ = try await bootstrap() } throws: { ($0 as? NIOCore.IOError)?.errnoCode == EBADF }
      }
    }
  }

  @Test("A socket that a channel has already, and a group that is not ours", arguments: Site.ours)
  func taken(site: Site) async throws {
    try await site.run { channels in
      let (mine, theirs) = try RawSocket.pair()
      let foreign = AsyncIOClientBootstrap(group: NIOSingletons.posixEventLoopGroup)
      await #expect(throws: (any Error).self) { _ = try await foreign.withConnectedSocket(mine.number).get() }
      #expect(mine.isOpen && mine.isBlocking)
      let channel = try await channels.take(connected: mine)
      await #expect(throws: (any Error).self) { _ = try await channels.take(connected: mine) }
      #expect(channel.isActive && mine.isOpen)
      try await channel.close()
      #expect(!mine.isOpen)
      theirs.close()
    }
  }

  @Test("A loop that has shut down makes no channel", arguments: Site.ours)
  func shutDown(site: Site) async throws {
    let group = try site.makeGroup()
    try await group.shutdownGracefully()
    let (mine, theirs) = try RawSocket.pair()
    await #expect(throws: (any Error).self) {
      _ = try await Channels(site: site, group: group).take(connected: mine)
    }
    if mine.isOpen { mine.close() }
    theirs.close()
  }

  @Test("As sequences and outputs", arguments: Site.real)
  func sequences(site: Site) async throws {
    typealias Connection = AsyncChannelTests.Connection
    try await site.run { channels in
      let bound = try RawSocket.bound(try channels.quietAddress(), listens: true)
      let server =
        site == .nio
        ? try await ServerBootstrap(group: channels.group)
          .bind(bound.number, childChannelInitializer: AsyncChannelTests.wrap)
        : try await AsyncIOServerBootstrap(group: channels.group)
          .bind(bound.number, childChannelInitializer: AsyncChannelTests.wrap)
      let socket = try RawSocket.connected(server.channel.localAddress!)
      let client =
        site == .nio
        ? try await ClientBootstrap(group: channels.group)
          .withConnectedSocket(socket.number, channelInitializer: AsyncChannelTests.wrap)
        : try await AsyncIOClientBootstrap(group: channels.group)
          .withConnectedSocket(socket.number, channelInitializer: AsyncChannelTests.wrap)
      try await server.executeThenClose { connections in
        try await client.executeThenClose { answers, questions in
          try await questions.write(ByteBuffer(string: "hello"))
          for try await connection in connections {
            try await connection.executeThenClose { input, output in
              for try await bytes in input {
                try await output.write(bytes)
                break
              }
            }
            try await server.channel.close()
          }
          for try await bytes in answers { #expect(bytes == ByteBuffer(string: "hello")) }
        }
      }
      #expect(!bound.isOpen && !socket.isOpen)
    }
  }

  @Test("Sockets of a simulated network")
  func simulated() async throws {
    try await Site.simulation.run { channels in
      let (server, client) = (Events(), Events())
      let address = AsyncIO.SocketAddress(ipLiteral: "127.0.0.1", port: 7000)!
      let bound = try AsyncIO.Socket(family: .ipv4)
      try bound.bind(to: address)
      let listener = try await AsyncIOServerBootstrap(group: channels.group)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers(Noting(server), Echo())
          }
        }
        .withBoundSocket(try bound.detach()).get()
      let connected = try AsyncIO.Socket(family: .ipv4)
      try await connected.connect(to: address)
      let channel = try await AsyncIOClientBootstrap(group: channels.group)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Noting(client)) }
        }
        .withConnectedSocket(try connected.detach()).get()
      #expect(channel.remoteAddress == listener.localAddress)
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await client.wait(for: "read 5")
      try await channel.close()
      try await server.wait(for: "removed")
      try await listener.close()
      await #expect(throws: NIOCore.IOError.self) {
        _ = try await AsyncIOClientBootstrap(group: channels.group).withConnectedSocket(0).get()
      }
    }
  }

  /// NIO's is always an error: it asks its channel for what only streams have.
  @Test("A socket for datagrams as an output", arguments: Site.ours)
  func datagramOutput(site: Site) async throws {
    try await site.run { channels in
      let socket = try RawSocket.bound(Channels.anyPort, RawSocket.datagrams)
      let channel = try await AsyncIODatagramBootstrap(group: channels.group)
        .withBoundSocket(socket.number) { $0.eventLoop.makeSucceededFuture($0) }
      #expect(channel.isActive && channel.localAddress != nil)
      try await channel.close()
      #expect(!socket.isOpen)
    }
  }
}

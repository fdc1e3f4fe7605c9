import AsyncIO
import AsyncIONIO
import Glibc
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

/// What bootstraps can be told besides options: the same settings on NIO's and on ours.
@Suite("Settings of bootstraps", .timeLimit(.minutes(2)))
struct BootstrapTests {
  @Test("A group is valid if all its loops are ours", arguments: Site.ours)
  func validating(site: Site) async throws {
    try await site.run { channels in
      let groups: [any EventLoopGroup] = [channels.group, channels.group.next()]
      for group in groups {
        #expect(AsyncIOServerBootstrap(validatingGroup: group) != nil)
        #expect(AsyncIOServerBootstrap(validatingGroup: group, childGroup: group) != nil)
        #expect(AsyncIOClientBootstrap(validatingGroup: group) != nil)
        #expect(AsyncIODatagramBootstrap(validatingGroup: group) != nil)
        #expect(AsyncIOPipeBootstrap(validatingGroup: group) != nil)
        #expect(ServerBootstrap(validatingGroup: group) == nil)
      }
      let nio: any EventLoopGroup = NIOSingletons.posixEventLoopGroup
      for group in [nio, nio.next(), EmbeddedEventLoop()] {
        #expect(AsyncIOServerBootstrap(validatingGroup: group) == nil)
        #expect(AsyncIOServerBootstrap(validatingGroup: channels.group, childGroup: group) == nil)
        #expect(AsyncIOClientBootstrap(validatingGroup: group) == nil)
        #expect(AsyncIODatagramBootstrap(validatingGroup: group) == nil)
        #expect(AsyncIOPipeBootstrap(validatingGroup: group) == nil)
      }
      let server = try #require(AsyncIOServerBootstrap(validatingGroup: channels.group))
      let listener = try await server.bindTimeout(.seconds(1)).bind(host: "127.0.0.1", port: 0).get()
      try await listener.close()
    }
  }

  // MARK: Files of Unix sockets

  @Test("A file that a socket has left is removed before a bind, in all forms", arguments: [true, false])
  func staleFile(isStream: Bool) async throws {
    try await compare { channels in
      let path = "/tmp/asyncio-nio-stale-\(channels.site)-\(UInt32.random(in: 0...UInt32.max))"
      defer { unlink(path) }
      let type = isStream ? RawSocket.stream : RawSocket.datagrams
      try RawSocket.bound(try NIOCore.SocketAddress(unixDomainSocketPath: path), type).close()
      var seen: [String] = []
      for cleansUp in [false, true] {
        do {
          let channel = try await Self.bind(channels, path, isStream, cleansUp)
          seen.append("bound \(channel.localAddress?.pathname == path)")
          try await channel.close()
        } catch {
          seen.append(Events.name(of: error))
        }
      }
      return seen
    }
  }

  private static func bind(
    _ channels: Channels, _ path: String, _ isStream: Bool, _ cleansUp: Bool
  ) async throws -> any Channel {
    let group = channels.group
    switch (channels.site == .nio, isStream) {
    case (true, true):
      return try await ServerBootstrap(group: group)
        .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: cleansUp).get()
    case (true, false):
      return try await DatagramBootstrap(group: group)
        .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: cleansUp).get()
    case (false, true):
      return try await AsyncIOServerBootstrap(group: group)
        .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: cleansUp).get()
    case (false, false):
      return try await AsyncIODatagramBootstrap(group: group)
        .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: cleansUp).get()
    }
  }

  @Test("A file that a program has, and one that is not a socket's, stay", arguments: Site.ours, [true, false])
  func livingFile(site: Site, isStream: Bool) async throws {
    try await site.run { channels in
      let path = "/tmp/asyncio-nio-living-\(site)-\(isStream)-\(UInt32.random(in: 0...UInt32.max))"
      let first = try await Self.bind(channels, path, isStream, true)
      await #expect { _ = try await Self.bind(channels, path, isStream, true) } throws: {
        ($0 as? NIOCore.IOError)?.errnoCode == EADDRINUSE
      }
      try await first.close()
      unlink(path)
      close(creat(path, 0o600))
      await #expect(throws: NIOCore.IOError.self) { _ = try await Self.bind(channels, path, isStream, true) }
      #expect(access(path, F_OK) == 0)
      unlink(path)
      let long = String(repeating: "x", count: 500)
      await #expect(throws: (any Error).self) { _ = try await Self.bind(channels, long, isStream, true) }
    }
  }

  // MARK: Protocols

  @Test("TCP over several paths", arguments: Channels.Multipath.allCases)
  func multipath(kind: Channels.Multipath) async throws {
    let probe = socket(AF_INET, RawSocket.stream, 262)
    try #require(probe >= 0 || kind != .tcp, "this system has no such protocol")
    close(probe)
    try await compare { channels in
      let client = Events()
      do {
        let listener = try await channels.multipathServer(kind)
        let channel = try await channels.multipathClient(listener.localAddress!) { channel in
          try channel.pipeline.syncOperations.addHandler(Noting(client))
        }
        // IPPROTO_TCP, and SO_PROTOCOL of both.
        client.note("protocol \(try await channel.getOption(.socketOption(.init(rawValue: SO_PROTOCOL))).get())")
        try await channels.onLoop(channel) { client.watch("write", channel.written("hello")) }
        try await client.wait(for: "read 5")
        try await channel.close()
        try await listener.close()
        try await client.wait(for: "removed")
      } catch {
        client.note(Events.name(of: error))
      }
      return client.all
    }
  }

  @Test("A simulated network has no paths but one")
  func simulatedMultipath() async throws {
    try await Site.simulation.run { channels in
      await #expect(throws: NIOCore.IOError.self) { _ = try await channels.multipathServer(.tcp) }
      let listener = try await channels.listen { _ in }
      await #expect(throws: NIOCore.IOError.self) { _ = try await channels.multipathClient(listener.localAddress!) }
      try await listener.close()
    }
  }

  @Test("The protocol of a socket for datagrams", arguments: [0, 17, 136, 6, -1, CInt.max])
  func protocolSubtype(number: CInt) async throws {
    try await compare { channels in
      do {
        let channel =
          channels.site == .nio
          ? try await DatagramBootstrap(group: channels.group).protocolSubtype(.init(rawValue: number))
            .bind(to: Channels.anyPort).get()
          : try await AsyncIODatagramBootstrap(group: channels.group).protocolSubtype(.init(rawValue: number))
            .bind(to: Channels.anyPort).get()
        let used = try await channel.getOption(.socketOption(.init(rawValue: SO_PROTOCOL))).get()
        try await channel.close()
        return ["\(used)"]
      } catch {
        return [Events.name(of: error)]
      }
    }
  }

  @Test("Subtypes by their names")
  func subtypes() {
    typealias Subtype = AsyncIODatagramBootstrap.ProtocolSubtype
    #expect(Subtype.default.rawValue == 0 && Subtype(NIOIPProtocol.udp).rawValue == 17)
  }
}

extension Channels {
  enum Multipath: String, CaseIterable, Sendable { case tcp, unix, taken }

  func multipathServer(_ kind: Multipath) async throws -> any Channel {
    let echo: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
      channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
    }
    let path = "/tmp/asyncio-nio-multipath-\(site)-\(UInt32.random(in: 0...UInt32.max))"
    let address = kind == .unix ? try NIOCore.SocketAddress(unixDomainSocketPath: path) : try quietAddress()
    let socket = kind == .taken ? try RawSocket.bound(address) : nil
    // Nobody takes it.
    defer { socket?.close() }
    if site == .nio {
      let bootstrap = ServerBootstrap(group: group).enableMPTCP(true).childChannelInitializer(echo)
      if let socket { return try await bootstrap.withBoundSocket(socket.number).get() }
      return try await bootstrap.bind(to: address).get()
    }
    let bootstrap = AsyncIOServerBootstrap(group: group).enableMPTCP(true).childChannelInitializer(echo)
    if let socket { return try await bootstrap.withBoundSocket(socket.number).get() }
    return try await bootstrap.bind(to: address).get()
  }

  func multipathClient(
    _ address: NIOCore.SocketAddress, _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    let initialize: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
      channel.eventLoop.makeCompletedFuture { try initializer(channel) }
    }
    return site == .nio
      ? try await ClientBootstrap(group: group).enableMPTCP(true).channelInitializer(initialize)
        .connect(to: address).get()
      : try await AsyncIOClientBootstrap(group: group).enableMPTCP(true).channelInitializer(initialize)
        .connect(to: address).get()
  }
}

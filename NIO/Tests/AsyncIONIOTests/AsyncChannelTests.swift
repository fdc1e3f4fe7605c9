import AsyncIONIO
import Glibc
import NIOCore
import NIOPosix
import Testing

/// Listening and connecting with `NIOAsyncChannel`: the same program with NIO's bootstraps and with ours.
@Suite("Channels as sequences", .timeLimit(.minutes(2)))
struct AsyncChannelTests {
  typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

  @Sendable static func wrap(_ channel: any Channel) -> EventLoopFuture<Connection> {
    channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
  }

  private func listen(
    _ channels: Channels, _ wrap: @escaping @Sendable (any Channel) -> EventLoopFuture<Connection>
  ) async throws -> NIOAsyncChannel<Connection, Never> {
    if channels.site == .nio {
      return try await ServerBootstrap(group: channels.group)
        .bind(host: "127.0.0.1", port: 0, childChannelInitializer: wrap)
    }
    return try await AsyncIOServerBootstrap(group: channels.group)
      .bind(host: "127.0.0.1", port: 0, childChannelInitializer: wrap)
  }

  private func connect(_ channels: Channels, _ address: NIOCore.SocketAddress) async throws -> Connection {
    if channels.site == .nio {
      return try await ClientBootstrap(group: channels.group).connect(to: address, channelInitializer: Self.wrap)
    }
    return try await AsyncIOClientBootstrap(group: channels.group)
      .connect(to: address, channelInitializer: Self.wrap)
  }

  @Test("An echo of a hundred clients, each in a task", arguments: Site.real, [1, 2])
  func echo(site: Site, threads: Int) async throws {
    try await site.run(threads: threads) { channels in
      let server = try await listen(channels, Self.wrap)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await server.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
              for try await connection in connections {
                group.addTask { try await Self.serve(connection) }
              }
            }
          }
        }
        try await withThrowingTaskGroup(of: Void.self) { clients in
          for number in 0..<100 {
            clients.addTask {
              let bytes = try await self.ask(channels, server.channel.localAddress!, number)
              #expect(bytes == ByteBuffer(repeating: UInt8(number), count: 5000))
            }
          }
          try await clients.waitForAll()
        }
        try await server.channel.close()
        try await group.waitForAll()
      }
    }
  }

  private static func serve(_ connection: Connection) async throws {
    try await connection.executeThenClose { input, output in
      for try await bytes in input { try await output.write(bytes) }
    }
  }

  private func ask(
    _ channels: Channels, _ address: NIOCore.SocketAddress, _ number: Int
  ) async throws -> ByteBuffer {
    try await connect(channels, address).executeThenClose { input, output in
      try await output.write(ByteBuffer(repeating: UInt8(number), count: 5000))
      var answer = ByteBuffer()
      for try await var bytes in input {
        answer.writeBuffer(&bytes)
        if answer.readableBytes >= 5000 { break }
      }
      return answer
    }
  }

  // NIO leaves the connection open, and its client waits for ever.
  @Test("A connection whose initializer fails is closed, and the listener goes on", arguments: Site.oursAndSimulation)
  func initializerFails(site: Site) async throws {
    try await site.run { channels in
      let events = Events()
      let server = try await listen(channels) { channel in
        events.note("accepted")
        if events.all.count == 1 { return channel.eventLoop.makeFailedFuture(ChannelError.eof) }
        return Self.wrap(channel)
      }
      let address = server.channel.localAddress!
      try await server.executeThenClose { connections in
        var iterator = connections.makeAsyncIterator()
        let refused = try await connect(channels, address)
        try await refused.executeThenClose { input, _ in for try await _ in input {} }
        let taken = try await connect(channels, address)
        let connection = try #require(try await iterator.next())
        try await connection.executeThenClose { _, output in try await output.write(ByteBuffer(string: "hello")) }
        try await taken.executeThenClose { input, _ in
          var answer = ByteBuffer()
          for try await var bytes in input { answer.writeBuffer(&bytes) }
          #expect(answer == ByteBuffer(string: "hello"))
        }
      }
    }
  }

  @Test("A stale Unix socket makes way if that is asked for, a live one does not", arguments: Site.ours)
  func staleSocket(site: Site) async throws {
    let path = "/tmp/asyncio-nio-\(site.rawValue)-\(UInt32.random(in: 0 ... .max)).sock"
    // What a program leaves that was killed.
    let stale = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let isBound = try NIOCore.SocketAddress(unixDomainSocketPath: path).withSockAddr {
      Glibc.bind(stale, $0, socklen_t($1)) == 0
    }
    close(stale)
    try #require(isBound)
    try await site.run { channels in
      let bootstrap = AsyncIOServerBootstrap(group: channels.group)
      await #expect(throws: NIOCore.IOError.self) {
        _ = try await bootstrap.bind(unixDomainSocketPath: path, childChannelInitializer: Self.wrap)
      }
      let server = try await bootstrap.bind(
        unixDomainSocketPath: path, cleanupExistingSocketFile: true, childChannelInitializer: Self.wrap)
      await #expect(throws: NIOCore.IOError.self) {
        _ = try await bootstrap.bind(
          unixDomainSocketPath: path, cleanupExistingSocketFile: true, childChannelInitializer: Self.wrap)
      }
      try await server.executeThenClose { _ in }
      let next = try await bootstrap.bind(unixDomainSocketPath: path, childChannelInitializer: Self.wrap)
      try await next.executeThenClose { _ in }
    }
  }
}

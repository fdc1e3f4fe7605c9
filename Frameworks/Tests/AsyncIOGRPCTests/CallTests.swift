import AsyncIO
import AsyncIOGRPC
import AsyncIONIO
import GRPCCore
import GRPCNIOTransportHTTP2
import NIOCore
import Synchronization
import Testing

@testable import GRPCEcho

/// The same calls on gRPC's own transports and on ours, and what both sides see.
@Suite("gRPC calls", .timeLimit(.minutes(1)))
struct CallTests {
  @Test("All four kinds, plain on one loop and in TLS on two", arguments: Site.allCases, [false, true])
  func kinds(site: Site, tls: Bool) async throws {
    try await site.call(threads: tls ? 2 : 1, tls: tls) { client async throws in
      #expect(try await client.once(Echo.once, [1, 2, 3]) == [1, 2, 3])
      #expect(try await client.once(Echo.once, []) == [])
      #expect(try await client.answers(Echo.collect, [[1], [], [2, 3]]) == [[1, 2, 3]])
      #expect(try await client.answers(Echo.expand, [[2, 0, 1]]) == [[2, 2], [], [1]])
      let many = (0..<500).map { [UInt8](repeating: UInt8($0 % 256), count: $0) }
      #expect(try await client.answers(Echo.stream, many) == many)
    }
  }

  @Test("Messages wait for answers, on thirty streams at a time", arguments: Site.allCases)
  func turns(site: Site) async throws {
    try await site.call { client async throws in
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        for number in 0..<30 {
          tasks.addTask {
            let (heard, hear) = AsyncStream.makeStream(of: [UInt8].self)
            try await client.stream(Echo.stream, .defaults) { output in
              var answers = heard.makeAsyncIterator()
              for turn in 0..<5 {
                try await output.write([UInt8(number), UInt8(turn)])
                #expect(await answers.next() == [UInt8(number), UInt8(turn)])
              }
            } receive: { input async throws in
              defer { hear.finish() }
              for try await answer in input { hear.yield(answer) }
            }
          }
        }
        try await tasks.waitForAll()
      }
    }
  }

  @Test("Large messages, to the limit and beyond", arguments: Site.allCases)
  func large(site: Site) async throws {
    try await site.call { client async throws in
      let message = (0..<3_000_000).map { UInt8($0 % 251) }
      #expect(try await client.once(Echo.once, message) == message)
      // A server takes 4 MiB by default, and resets the stream of a message that is larger.
      await expect(.unavailable) {
        _ = try await client.once(Echo.once, [UInt8](repeating: 0, count: 4 * 1024 * 1024 + 1))
      }
      #expect(try await client.once(Echo.once, [9]) == [9])
    }
  }

  @Test("Errors arrive with their status, their text and their metadata", arguments: Site.allCases)
  func errors(site: Site) async throws {
    try await site.call([Failing()]) { client in
      let error = await expect(.failedPrecondition) { _ = try await client.once(Failing.early, [1]) }
      #expect(error?.message == "not today")
      #expect(error.map { Array($0.metadata[stringValues: "reason"]) } == ["sunday"])
      await expect(.unknown) { _ = try await client.once(Failing.foreign, [1]) }
      let seen = Mutex<[[UInt8]]>([])
      await expect(.dataLoss) {
        try await client.stream(Failing.late, .defaults, send: { _ in }) { input in
          for try await answer in input { seen.withLock { $0.append(answer) } }
        }
      }
      #expect(seen.withLock { $0 } == [[1], [2]])
      await expect(.unimplemented) { _ = try await client.once(Echo.once, [1]) }
    }
  }

  /// Run a body that has to fail with a code.
  @discardableResult
  private func expect(_ code: RPCError.Code, _ body: () async throws -> Void) async -> RPCError? {
    do {
      try await body()
      Issue.record("no error, but \(code) was to come")
    } catch let error as RPCError {
      #expect(error.code == code, "\(error)")
      return error
    } catch {
      Issue.record("\(type(of: error)): \(error)")
    }
    return nil
  }

  @Test("A call has its time, and the server learns that it is over", arguments: Site.allCases)
  func deadline(site: Site) async throws {
    let waiting = Waiting()
    try await site.call([waiting]) { client in
      var options = CallOptions.defaults
      options.timeout = .milliseconds(500)
      await expect(.deadlineExceeded) { _ = try await client.once(Waiting.forever, [1], options) }
      // On a slow machine the time may be over before the call has come.
      if waiting.hasBegun { await waiting.ended.wait() }
    }
  }

  @Test("A cancelled call ends on both sides", arguments: Site.allCases)
  func cancellation(site: Site) async throws {
    let waiting = Waiting()
    try await site.call([waiting]) { client in
      let task = Task { _ = try await client.once(Waiting.forever, [1]) }
      await waiting.begun.wait()
      task.cancel()
      switch await task.result {
      case .success: Issue.record("it has an answer")
      case .failure(let error):
        // It is what gRPC makes of a CancellationError.
        let code = (error as? RPCError)?.code
        #expect(code == .cancelled || code == .unknown, "\(type(of: error)): \(error)")
      }
      await waiting.ended.wait()
    }
  }

  @Test("A graceful shutdown lets a call end and takes no other", arguments: Site.allCases)
  func shutdown(site: Site) async throws {
    let (said, say) = AsyncStream.makeStream(of: [UInt8].self)
    try await site.call { client async throws in
      try await client.stream(Echo.stream, .defaults) { output in
        try await output.write([1])
        var messages = said.makeAsyncIterator()
        while let message = await messages.next() { try await output.write(message) }
      } receive: { input async throws in
        var answers = input.makeAsyncIterator()
        #expect(try await answers.next() == [1])
        client.shutDownServer()
        say.yield([2])
        #expect(try await answers.next() == [2])
        say.finish()
        #expect(try await answers.next() == nil)
      }
    }
  }

  // gRPC's own transport takes a hundred as well, and does not say so.
  @Test("A client is told how many calls a connection takes at a time", arguments: Site.ours)
  func limit(site: Site) async throws {
    try await #expect(site.settings(.defaults)[3] == 100)
    var config = AsyncIOServerTransport.Config.defaults
    config.http2.maxConcurrentStreams = 7
    try await #expect(site.settings(config)[3] == 7)
  }

  @Test("A port that is taken, and a server that is not there", arguments: Site.ours)
  func refusals(site: Site) async throws {
    let group = try AsyncIOEventLoopGroup(numberOfThreads: 1) { try EventLoopKinds.make(site.rawValue) }
    let loop = try #require(group.next() as? AsyncIOEventLoop)
    let first = AsyncIOServerTransport(address: .ipv4(host: "127.0.0.1", port: 0), on: group)
    let server = GRPCServer(transport: first, services: [Echo()])
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await server.serve() }
      let port = try #require(try await first.listeningAddress.ipv4?.port)
      let second = AsyncIOServerTransport(address: .ipv4(host: "127.0.0.1", port: port), on: group)
      await #expect(throws: RuntimeError.self) { try await GRPCServer(transport: second, services: []).serve() }
      server.beginGracefulShutdown()
      try await tasks.waitForAll()
      await #expect(throws: (any Error).self) {
        _ = try await HTTP2ClientTransport.WrappedChannel.connected(toHost: "127.0.0.1", port: port, on: loop)
      }
    }
    try await group.shutdownGracefully()
  }
}

extension Site {
  /// What a server says in its first frame, by the numbers of HTTP/2's settings.
  fileprivate func settings(_ config: AsyncIOServerTransport.Config) async throws -> [Int: Int] {
    let group = try AsyncIOEventLoopGroup(numberOfThreads: 1) { try EventLoopKinds.make(rawValue) }
    let transport = AsyncIOServerTransport(address: .ipv4(host: "127.0.0.1", port: 0), on: group, config: config)
    let server = GRPCServer(transport: transport, services: [Echo()])
    let settings = try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await server.serve() }
      let port = try #require(try await transport.listeningAddress.ipv4?.port)
      let frame = try await Task { try await Self.firstFrame(UInt16(port)) }.value
      server.beginGracefulShutdown()
      try await tasks.waitForAll()
      return frame
    }
    try await group.shutdownGracefully()
    return settings
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

  @concurrent private static func firstFrame(_ port: UInt16) async throws -> [Int: Int] {
    try await AsyncIO.run(loopFactory: { try SelectorEventLoop() }) {
      let connection = try await StreamConnection.connect(host: "127.0.0.1", port: port)
      defer { connection.close() }
      // A client's preface and an empty SETTINGS frame.
      try await connection.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\u{4}\0\0\0\0\0")
      let head = try await connection.readExactly(9)
      #expect(head[3] == 4, "a frame of type \(head[3])")
      let body = try await connection.readExactly(number(head[0..<3]))
      var settings: [Int: Int] = [:]
      for at in stride(from: 0, to: body.count, by: 6) {
        settings[number(body[at..<at + 2])] = number(body[at + 2..<at + 6])
      }
      return settings
    }
  }
}

import AsyncIO
import AsyncIONIO
import AsyncIOSimulation
import NIOCore
import NIOHTTP1
import Testing

/// NIO's own HTTP handlers, unchanged, on channels of ours.
@Suite("NIOHTTP1 on our channels", .timeLimit(.minutes(2)))
struct HTTPTests {
  @Test("Requests with bodies, on one loop and on two", arguments: Site.real, [1, 2])
  func requests(site: Site, threads: Int) async throws {
    try await site.run(threads: threads) { channels in
      let listener = try await channels.listen { channel in
        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
        try channel.pipeline.syncOperations.addHandler(HTTPEcho())
      }
      for size in [0, 1, 10_000, 300_000] {
        let body = String(repeating: "x", count: size)
        let answer = channels.group.next().makePromise(of: String.self)
        let channel = try await channels.connect(listener.localAddress!) { channel in
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(HTTPRequest(body, answer))
        }
        let text = try await answer.futureResult.get()
        #expect(text == body)
        try await channel.closeFuture.get()
      }
      try await listener.close()
    }
  }

  /// The server answers after an hour, and the seeds take no time: the loop's clock is the world's.
  @Test("In a simulated world, with and without faults of the network", arguments: [false, true])
  func simulated(hasFaults: Bool) async throws {
    let report = try await simulate(seeds: 0..<50, faults: hasFaults ? .mild : .none) { world in
      world.host("server").start {
        let listener = try await AsyncIOServerBootstrap(group: AsyncIOEventLoop.running())
          .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
              try channel.pipeline.syncOperations.configureHTTPServerPipeline()
              try channel.pipeline.syncOperations.addHandler(HTTPEcho(after: .hours(1)))
            }
          }
          .bind(host: "10.0.0.1", port: 80).get()
        try? await sleep(for: .seconds(1_000_000))
        try await listener.close()
      }
      try await world.host("client").run {
        try await sleep(for: .seconds(10))
        let loop = try AsyncIOEventLoop.running()
        let before = loop.now
        let answer = loop.makePromise(of: String.self)
        do {
          let channel = try await AsyncIOClientBootstrap(group: loop)
            .channelInitializer { channel in
              channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(HTTPRequest("hello", answer))
              }
            }
            .connect(host: "10.0.0.1", port: 80).get()
          let text = try await answer.futureResult.get()
          try world.require(text == "hello", "got \(text)")
          try world.require(loop.now - before >= .hours(1), "too early: \(loop.now - before)")
          try await channel.closeFuture.get()
        } catch  where !(error is SimulationFailure) {
          // A network with faults may lose a connection; then the client is told so, in NIO's words.
          try world.require(hasFaults, "failed without a fault: \(error)")
          let isNIOs = error is NIOCore.IOError || error is ChannelError || error is AsyncIOConnectionError
          try world.require(isNIOs, "\(type(of: error)): \(error)")
          answer.fail(error)
        }
      }
    }
    #expect(report.seeds == 50)
  }
}

import AsyncIO
import AsyncIOGRPC
import AsyncIONIO
import AsyncIOSimulation
import GRPCCore
import GRPCNIOTransportHTTP2
import Glibc
import NIOCore
import Testing

@testable import GRPCEcho

/// A gRPC service and its clients in simulated worlds: virtual time, a network with faults, crashes of the server.
/// Each call is answered rightly or fails with a code of a list, and nothing hangs.
@Suite("A gRPC service in simulated worlds", .timeLimit(.minutes(30)))
struct SimulationTests {
  /// How many seeds: 100, or what `ASYNCIO_CAMPAIGN` says.
  static var seeds: Range<UInt64> {
    0..<(getenv("ASYNCIO_CAMPAIGN").flatMap { UInt64(String(cString: $0)) } ?? 100)
  }

  @Test("Without faults every call is answered", arguments: [FaultPlan.none, .mild])
  func calm(faults: FaultPlan) async throws {
    let report = try await simulate(seeds: Self.seeds, faults: faults) { world in
      try await Self.clients(world, Tally(), isCalm: true)
    }
    print(report)
  }

  @Test("With faults a call is answered or fails with a code that says why, and what was promised holds")
  func hostile() async throws {
    let report = try await simulate(seeds: Self.seeds, faults: .hostile) { try await Self.clients($0, Tally()) }
    print(report)
  }

  @Test("A repetition that counts twice is found, and its seed leads to it again")
  func mistake() async throws {
    let failure = try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: 0..<1000, faults: .hostile) {
        try await Self.clients($0, Tally(countsRepetitions: true))
      }
    }
    let seed = try #require(failure.seed)
    // Not shrunk once more, which may find still fewer faults.
    var changing = CampaignOptions()
    changing.shrinks = false
    let options = changing
    let again = try await #require(throws: SimulationFailure.self) {
      try await simulate(seeds: seed..<seed + 1, faults: failure.faults, options: options) {
        try await Self.clients($0, Tally(countsRepetitions: true))
      }
    }
    #expect(again.message == failure.message && again.traceHash == failure.traceHash)
    print(failure)
  }

  @Test("A graceful end of a server with many connections goes the same way each time", arguments: UInt64(0)..<3)
  func end(seed: UInt64) async throws {
    var changing = CampaignOptions()
    changing.shrinks = false
    let options = changing
    var hashes: Set<UInt64> = []
    for _ in 0..<3 {
      let end = try await #require(throws: SimulationFailure.self) {
        try await simulate(seeds: seed..<seed + 1, faults: .none, options: options) { world in
          try await Self.end(world)
          // A failure tells the hash of what happened.
          try world.require(false, "all has ended")
        }
      }
      #expect(end.message.contains("all has ended"), "\(end)")
      hashes.insert(end.traceHash)
    }
    #expect(hashes.count == 1)
  }

  /// Twelve clients have a call open when the server is told to end.
  @Sendable private static func end(_ world: SimulationWorld) async throws {
    let (told, tell) = AsyncStream.makeStream(of: Void.self)
    world.host("server").start {
      let transport = AsyncIOServerTransport(address: .ipv4(host: "10.0.0.1", port: 80), on: try .running())
      let server = GRPCServer(transport: transport, services: [Echo()])
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await server.serve() }
        for await _ in told { break }
        server.beginGracefulShutdown()
        try await tasks.waitForAll()
      }
    }
    try await sleep(for: .seconds(1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<12 {
        group.addTask {
          try await world.host("client \(number)").run {
            let transport = try await HTTP2ClientTransport.WrappedChannel.connected(
              toHost: "10.0.0.1", port: 80, on: .running())
            try await withGRPCClient(transport: transport) { client in
              try await Caller(client: client, shutDownServer: {}).stream(Echo.stream, .defaults) { output in
                try await output.write([UInt8(number)])
                try await sleep(for: .seconds(10))
              } receive: { input async throws in
                for try await answer in input { try world.require(answer == [UInt8(number)], "another answer") }
              }
            }
          }
        }
      }
      try await sleep(for: .seconds(5))
      tell.yield()
      try await group.waitForAll()
    }
  }

  /// How a call can fail that has begun: the connection is lost, or the time is over.
  private static let codes: Set<RPCError.Code> = [.unavailable, .deadlineExceeded]

  @Sendable private static func serve(_ tally: Tally) async throws {
    while !Task.isCancelled {
      let transport = AsyncIOServerTransport(address: .ipv4(host: "10.0.0.1", port: 80), on: try .running())
      do {
        return try await GRPCServer(transport: transport, services: [Echo(), tally]).serve()
      } catch let error as RuntimeError where error.cause is NIOCore.IOError {
        // No descriptor was left to listen with.
        try? await sleep(for: .seconds(1))
      } catch  where Task.isCancelled {
        // The world is over, or the server crashed.
      }
    }
  }

  /// Three clients call; then the network heals, and the tally has to be right.
  @Sendable private static func clients(_ world: SimulationWorld, _ tally: Tally, isCalm: Bool = false) async throws {
    let server = world.host("server")
    server.start { try await serve(tally) }
    try await sleep(for: .seconds(1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<3 {
        group.addTask {
          try await world.host("client \(number)").run {
            var caller = SimulatedCaller(world: world, isCalm: isCalm)
            for turn in 0..<4 { try await caller.connection(UInt8(number * 10 + turn)) }
          }
        }
      }
      if !isCalm, world.random.chance(0.3) {
        try await sleep(for: world.random.around(.seconds(20)))
        server.crash()
        try await sleep(for: world.random.around(.seconds(10)))
        server.restart()
        world.sometimes("the server crashes")
      }
      try await group.waitForAll()
    }
    world.heal()
    try world.require(
      tally.total == 12 && tally.numbers.count == 12, "\(tally.total) of \(tally.numbers.count) numbers")
  }

  /// One client, with one connection after the other.
  private struct SimulatedCaller {
    let world: SimulationWorld
    let isCalm: Bool

    /// Call on a connection, and say a number until it is taken, on as many connections as it needs.
    mutating func connection(_ number: UInt8) async throws {
      for attempt in 1... {
        if try await attemptToSay(number) {
          if !isCalm { world.sometimes("a number takes more than one connection", attempt > 1) }
          return
        }
        try await sleep(for: world.random.around(.seconds(3)))
      }
    }

    private func attemptToSay(_ number: UInt8) async throws -> Bool {
      let transport: HTTP2ClientTransport.WrappedChannel
      do {
        transport = try await .connected(toHost: "10.0.0.1", port: 80, on: try .running())
      } catch  where !(error is SimulationFailure) {
        try world.require(!isCalm, "no connection: \(error)")
        let causes = (error as? AsyncIOConnectionError)?.connectionErrors.map(\.error) ?? [error]
        for cause in causes {
          try world.require(cause is NIOCore.IOError || cause is ChannelError, "\(type(of: cause)): \(error)")
        }
        return false
      }
      return try await withGRPCClient(transport: transport) { client in
        let client = Caller(client: client) {}
        var options = CallOptions.defaults
        // Without lost connections everything is answered, if it has the time: messages may be slow.
        options.timeout = isCalm ? .seconds(600) : .seconds(20)
        let message = (0..<world.random.below(20_000)).map { UInt8(truncatingIfNeeded: $0 &+ Int(number)) }
        if let answer = try await call({ try await client.once(Echo.once, message, options) }) {
          try world.require(answer == message, "another answer, of \(answer.count) bytes")
        }
        let messages = (0..<world.random.below(20)).map { [UInt8](repeating: number, count: $0 * 50) }
        if let answers = try await call({ try await client.answers(Echo.stream, messages, options) }) {
          try world.require(answers == messages, "other answers, \(answers.count) for \(messages.count)")
        }
        return try await call { try await client.once(Tally.add, [number], options) } != nil
      }
    }

    private func call<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value? {
      do {
        return try await body()
      } catch let error as RPCError {
        try world.require(!isCalm, "\(error)")
        try world.require(codes.contains(error.code), "\(error)")
        world.sometimes("a call fails: \(error.code)")
        return nil
      } catch let error as RuntimeError where error.code == .clientIsStopped {
        // The connection was lost before this call, and with it the client has stopped.
        try world.require(!isCalm, "\(error)")
        world.sometimes("a client has stopped")
        return nil
      }
    }
  }
}

import AsyncIO
import AsyncIOServiceLifecycle
import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import Testing

/// Loops, listeners and the proxy as services.
@Suite(.timeLimit(.minutes(5)))
struct LifecycleTests {
  /// What a service has told the test.
  private struct Notes: Sendable {
    let ports = AsyncStream.makeStream(of: UInt16.self)
    let reports = Record<DrainReport>()

    /// A listener at any port, which is told.
    func bind() async throws -> StreamListener {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      ports.continuation.yield(listener.port)
      return listener
    }

    func port() async throws -> UInt16 { try #require(await ports.stream.first { _ in true }) }
  }

  private static func group(_ services: [any Service]) -> ServiceGroup {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: services.map {
          ServiceGroupConfiguration.ServiceConfiguration(
            service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
        }, logger: logger))
  }

  private static func echo(
    _ notes: Notes, _ kind: Kind, drain: Duration? = .seconds(3600)
  ) -> ListenerService {
    ListenerService(
      "echo", drain: drain, loopFactory: kind.makeLoop, whenStopped: { notes.reports.add($0) }, bind: notes.bind
    ) { connection in
      try await connection.forEachChunk { try await connection.write($0) }
    }
  }

  @Test("A graceful shutdown of the group lets clients end, and refuses new ones", arguments: Kind.allCases)
  func drains(kind: Kind) async throws {
    let notes = Notes()
    let group = Self.group([Self.echo(notes, kind)])
    async let running: Void = group.run()
    let port = try await notes.port()
    try await kind.run { _ in
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: port)
      try await client.write("a")
      _ = try await client.readExactly(1)
      await group.triggerGracefulShutdown()
      try await turnUntilRefused(port)
      try await client.write("b")
      #expect(try await client.readExactly(1) == Array("b".utf8))
      client.close()
    }
    try await running
    let report = try #require(notes.reports.all.first)
    #expect(report.wasRequested && report.unfinished.isEmpty && !report.wasForced)
  }

  @Test("After the time a client is cut, and named", arguments: Kind.allCases)
  func cuts(kind: Kind) async throws {
    let notes = Notes()
    let group = Self.group([Self.echo(notes, kind, drain: .milliseconds(5))])
    async let running: Void = group.run()
    let port = try await notes.port()
    try await kind.run { _ in
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: port)
      try await client.write("a")
      _ = try await client.readExactly(1)
      await group.triggerGracefulShutdown()
      #expect(try await client.readToEnd() == [])
      let address = client.localAddress
      try await turnUntil { !notes.reports.all.isEmpty }
      #expect(notes.reports.all[0].unfinished.map(\.peer) == [address])
    }
    try await running
  }

  @Test("A service under a loop that runs is on that loop", arguments: Kind.allCases)
  func onRunningLoop(kind: Kind) async throws {
    try await kind.run { outer in
      let seen = Record<Bool>()
      try await LoopService("inside") { _ in seen.add(try getRunningLoop() === outer) }.run()
      #expect(seen.all == [true])
    }
  }

  @Test("A shutdown that comes before the loop reaches its body", arguments: Kind.allCases)
  func early(kind: Kind) async throws {
    try await testGracefulShutdown { trigger in
      trigger.triggerGracefulShutdown()
      let seen = Record<Bool>()
      try await LoopService("early", loopFactory: kind.makeLoop) { stop in
        try await stop.requested()
        seen.add(stop.isRequested)
      }.run()
      #expect(seen.all == [true])
    }
  }

  @Test("Tasks of the stop outlast the body, and hear of the shutdown", arguments: Kind.allCases)
  func tasks(kind: Kind) async throws {
    try await testGracefulShutdown { trigger in
      let ended = Record<String>()
      try await LoopService("tasks", loopFactory: kind.makeLoop) { stop in
        try stop.createTask {
          try await stop.requested()
          ended.add("task")
        }
        try getRunningLoop().callLater(.milliseconds(1)) { trigger.triggerGracefulShutdown() }
      }.run()
      #expect(ended.all == ["task"])
    }
  }

  @Test("An error of the body ends the service", arguments: Kind.allCases)
  func fails(kind: Kind) async throws {
    await #expect(throws: Broken.self) {
      try await LoopService("broken", loopFactory: kind.makeLoop) { _ in throw Broken() }.run()
    }
    #expect("\(LoopService("its name") { _ in })" == "its name")
  }

  @Test("A cancelled group ends the services at once", arguments: Kind.allCases)
  func cancelled(kind: Kind) async throws {
    let notes = Notes()
    let group = Self.group([Self.echo(notes, kind)])
    let running = Task { try await group.run() }
    let port = try await notes.port()
    try await kind.run { _ in
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: port)
      try await client.write("a")
      _ = try await client.readExactly(1)
      running.cancel()
      #expect(try await client.readToEnd() == [])
    }
    _ = await running.result
    #expect(notes.reports.all.isEmpty)
  }

  @Test("The proxy forwards, and drains with its group", arguments: Kind.allCases)
  func proxy(kind: Kind) async throws {
    let (server, front) = (Notes(), Notes())
    let echo = Self.group([Self.echo(server, kind, drain: .zero)])
    async let serving: Void = echo.run()
    let target = try await server.port()
    let group = Self.group([
      ProxyService(
        "proxy", drain: .seconds(3600), loopFactory: kind.makeLoop, whenStopped: { front.reports.add($0) },
        bind: front.bind
      ) { try await StreamConnection.connect(host: "127.0.0.1", port: target) }
    ])
    async let running: Void = group.run()
    let port = try await front.port()
    try await kind.run { _ in
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: port)
      try await client.write("hello")
      #expect(try await client.readExactly(5) == Array("hello".utf8))
      await group.triggerGracefulShutdown()
      try await turnUntilRefused(port)
      try client.writeEOF()
      #expect(try await client.readToEnd() == [])
      client.close()
    }
    try await running
    #expect(front.reports.all.first?.unfinished.isEmpty == true)
    await echo.triggerGracefulShutdown()
    try await serving
  }
}

/// Connect until nobody listens at the port.
private func turnUntilRefused(_ port: UInt16) async throws {
  while let connection = try? await StreamConnection.connect(host: "127.0.0.1", port: port) {
    connection.close()
    try await sleep(for: .milliseconds(1))
  }
}

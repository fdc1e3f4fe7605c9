import AsyncIO
import AsyncIOMetrics
import Metrics
import MetricsTestKit
import Testing

@testable import MetricsServer

/// What a loop reports of itself, and that it stops.
@Suite(.timeLimit(.minutes(5)))
struct MetricsTests {
  private static let often = LoopMetrics.Options(interval: .milliseconds(2))
  private static let dimensions = [("loop", "tested")]

  private static func total(_ metrics: TestMetrics, _ label: String) -> Int64 {
    metrics.counters(label: label, dimensions: dimensions).reduce(0) { $0 + $1.totalValue }
  }

  private static func last(_ metrics: TestMetrics, _ label: String) -> Double? {
    metrics.recorders(label: label, dimensions: dimensions).first?.lastValue
  }

  @Test("Turns, entries, timers and tasks of a loop", arguments: Kind.allCases)
  func loop(kind: Kind) async throws {
    try await kind.run { loop in
      let metrics = TestMetrics()
      let attached = try LoopMetrics.attach(to: loop, name: "tested", options: Self.often, factory: metrics)
      let timers = try (0..<5).map { _ in try loop.callLater(.seconds(3600)) {} }
      let task = try loop.createTask { try await sleep(for: .seconds(3600)) }
      // The timers and the sleep; the next sample's is not set while it is taken.
      try await turnUntil { (Self.last(metrics, "asyncio_loop_timers") ?? 0) >= 6 }
      try await turnUntil { (Self.last(metrics, "asyncio_loop_tasks") ?? 0) >= 2 }
      try await turnUntil { Self.total(metrics, "asyncio_loop_turns_total") > 10 }
      #expect(Self.total(metrics, "asyncio_loop_entries_total") > 10)
      let turn = try metrics.expectTimer("asyncio_loop_turn_duration_seconds", Self.dimensions)
      try await turnUntil { turn.values.count > 3 }
      #expect(turn.values.allSatisfy { $0 >= 0 })
      for timer in timers { timer.cancel() }
      task.cancel()
      attached.detach()
    }
  }

  @Test("Connections, accepts and bytes of servers, in both styles", arguments: Kind.allCases, [true, false])
  func servers(kind: Kind, isStreams: Bool) async throws {
    try await kind.run { loop in
      let metrics = TestMetrics()
      let attached = try LoopMetrics.attach(to: loop, name: "tested", options: Self.often, factory: metrics)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) { Echo() }
      let serving = try loop.createTask {
        try await listener.serve { connection in
          try await connection.forEachChunk { try await connection.write($0) }
        }
      }
      let address = isStreams ? listener.addresses[0] : server.addresses[0]
      var clients: [StreamConnection] = []
      for _ in 0..<3 {
        let client = try await StreamConnection.connect(to: address)
        try await client.write(String(repeating: "x", count: 10_000))
        _ = try await client.readExactly(10_000)
        clients.append(client)
      }
      try await turnUntil { Self.last(metrics, "asyncio_server_connections") == 3 }
      #expect(Self.total(metrics, "asyncio_server_accepts_total") == 3)
      #if os(Linux)
        try await turnUntil { Self.total(metrics, "asyncio_network_received_bytes_total") >= 30_000 }
        try await turnUntil { Self.total(metrics, "asyncio_network_sent_bytes_total") >= 30_000 }
      #endif
      for client in clients { client.close() }
      try await turnUntil { Self.last(metrics, "asyncio_server_connections") == 0 }
      #if os(Linux)
        // The clients are connections of this loop as well, and count when they are closed. What was counted while it
        // was open is not counted again.
        try await turnUntil { Self.total(metrics, "asyncio_network_received_bytes_total") >= 60_000 }
        try await turnUntil { Self.total(metrics, "asyncio_network_sent_bytes_total") >= 60_000 }
        try await sleep(for: .milliseconds(10))
        #expect(Self.total(metrics, "asyncio_network_received_bytes_total") < 60_100)
        #expect(Self.total(metrics, "asyncio_network_sent_bytes_total") < 60_100)
      #endif
      listener.close()
      server.close()
      try await serving.get()
      attached.detach()
    }
  }

  @Test("A server without a place left is seen to wait", arguments: Kind.allCases)
  func paused(kind: Kind) async throws {
    try await kind.run { loop in
      let metrics = TestMetrics()
      let attached = try LoopMetrics.attach(to: loop, name: "tested", options: Self.often, factory: metrics)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loop.createTask {
        try await listener.serve(maximumConnections: 1) { _ = try await $0.read(upTo: 1) }
      }
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      try await turnUntil { Self.last(metrics, "asyncio_server_paused_listeners") == 1 }
      client.close()
      try await turnUntil { Self.last(metrics, "asyncio_server_paused_listeners") == 0 }
      listener.close()
      try await serving.get()
      attached.detach()
    }
  }

  @Test("A loop that is held up shows it", arguments: Kind.allCases)
  func lag(kind: Kind) async throws {
    try await kind.run { loop in
      let metrics = TestMetrics()
      let attached = try LoopMetrics.attach(to: loop, name: "tested", options: Self.often, factory: metrics)
      try await turnUntil { metrics.timers.contains { $0.label == "asyncio_loop_lag_seconds" && !$0.values.isEmpty } }
      let lag = try metrics.expectTimer("asyncio_loop_lag_seconds", Self.dimensions)
      try loop.callSoon {
        // What a program must not do.
        let end = loop.time().advanced(by: .milliseconds(20))
        while loop.time() < end {}
      }
      try await turnUntil { lag.values.contains { $0 >= 10_000_000 } }
      attached.detach()
    }
  }

  @Test("The threads of the default executor", arguments: Kind.allCases)
  func pool(kind: Kind) async throws {
    try await kind.run { loop in
      let metrics = TestMetrics()
      let attached = try LoopMetrics.attach(to: loop, name: "tested", options: Self.often, factory: metrics)
      try await toThread {}
      try await turnUntil { (Self.last(metrics, "asyncio_pool_threads") ?? 0) >= 1 }
      try await turnUntil { (Self.last(metrics, "asyncio_pool_idle_threads") ?? 0) >= 1 }
      #expect(Self.last(metrics, "asyncio_pool_queue_entries") == 0)
      #expect(try metrics.expectGauge("asyncio_process_descriptors").lastValue != nil)
      attached.detach()
    }
  }

  @Test("After a detach nothing is reported, and the meters are given back", arguments: Kind.allCases)
  func detach(kind: Kind) async throws {
    try await kind.run { loop in
      let metrics = TestMetrics()
      let attached = try LoopMetrics.attach(to: loop, name: "tested", options: Self.often, factory: metrics)
      try await turnUntil { Self.total(metrics, "asyncio_loop_turns_total") > 0 }
      let turns = try metrics.expectCounter("asyncio_loop_turns_total", Self.dimensions)
      attached.detach()
      attached.detach()
      let values = turns.values.count
      try await sleep(for: .milliseconds(10))
      #expect(turns.values.count == values)
      #expect(metrics.counters.isEmpty && metrics.timers.isEmpty)
      // Those of the process may be another loop's.
      #expect(Set(metrics.recorders.map(\.label)) == ["asyncio_process_descriptors", "asyncio_process_children"])
    }
  }

  @Test("A closed loop is refused, and a loop that closes meanwhile ends the measuring", arguments: Kind.allCases)
  func closed(kind: Kind) async throws {
    let metrics = TestMetrics()
    let loop = try kind.makeLoop()
    weak let attached = try LoopMetrics.attach(to: loop, options: Self.often, factory: metrics)
    try await loop.run { try await sleep(for: .milliseconds(5)) }
    #expect(metrics.counterTotal(label: "asyncio_loop_turns_total") > 0)
    #expect(attached != nil)
    try loop.close()
    #expect(attached == nil)
    let error = #expect(throws: EventLoopError.self) { try LoopMetrics.attach(to: loop, factory: metrics) }
    #expect(error?.code == .closed)
  }
}

/// The page of the example.
struct PrometheusTests {
  @Test("Counters, gauges and timers in the text format, sorted and escaped")
  func text() {
    let registry = PrometheusRegistry()
    Counter(label: "b_total", dimensions: [("path", "a\"b\\c\nd")], factory: registry).increment(by: 3)
    Counter(label: "b_total", dimensions: [("path", "a\"b\\c\nd")], factory: registry).increment(by: 4)
    Gauge(label: "a", factory: registry).record(1.5)
    Metrics.Timer(label: "c_seconds", dimensions: [("x", "y")], factory: registry).recordNanoseconds(2_500_000_000)
    #expect(
      registry.text == """
        # TYPE a gauge
        a 1.5
        # TYPE b_total counter
        b_total{path="a\\"b\\\\c\\nd"} 7
        # TYPE c_seconds summary
        c_seconds_sum{x="y"} 2.5
        c_seconds_count{x="y"} 1

        """)
  }

  @Test(
    "A request for another page, by another method, and one that is none",
    arguments: [
      ("GET /metrics HTTP/1.1", "200 OK"), ("GET / HTTP/1.1", "404 Not Found"),
      ("POST /metrics HTTP/1.1", "405 Method Not Allowed"), ("hello", "400 Bad Request"),
    ])
  func requests(line: String, status: String) async throws {
    try await Kind.selector.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let page = MetricsPage(registry: PrometheusRegistry())
      let serving = try loop.createTask { try await listener.serve { try await page.serve($0) } }
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      try await client.write("\(line)\r\nHost: x\r\n\r\n")
      #expect(try await client.readLine() == "HTTP/1.1 \(status)")
      client.close()
      listener.close()
      try await serving.get()
    }
  }
}

/// Sends back what comes.
final class Echo: StreamProtocol {
  private var transport: StreamTransport?
  func connectionMade(_ transport: StreamTransport) { self.transport = transport }
  func dataReceived(_ bytes: RawSpan) throws { try transport?.write(bytes) }
  func connectionLost(_ error: (any Error)?) { transport = nil }
}

import AsyncIO
import AsyncIOMetrics
import Metrics

/// An echo server on port 7000 that Prometheus can look into on port 9100: `curl 127.0.0.1:9100/metrics`. SIGTERM stops
/// it. With `--demo` it takes any ports, serves three clients, prints what it has measured, and stops.
@main struct MetricsServer: AsyncProgram {
  static func run() async throws {
    let isDemo = CommandLine.arguments.contains("--demo")
    let registry = PrometheusRegistry()
    MetricsSystem.bootstrap(registry)
    let interval = Duration.milliseconds(isDemo ? 20 : 5000)
    let metrics = try LoopMetrics.attach(
      to: getRunningLoop(), name: "main", options: LoopMetrics.Options(interval: interval))
    defer { metrics.detach() }
    let report = try await withGracefulStop(drain: .seconds(5)) { stop in
      let echo = try await StreamListener.bind(host: "127.0.0.1", port: isDemo ? 0 : 7000)
      let pages = try await StreamListener.bind(host: "127.0.0.1", port: isDemo ? 0 : 9100)
      print("echo on port \(echo.port), metrics on port \(pages.port)")
      let page = MetricsPage(registry: registry)
      async let scrapes = pages.serve(maximumConnections: 10, until: stop) { try await page.serve($0) }
      async let clients = echo.serve(until: stop) { connection in
        try await connection.forEachChunk { try await connection.write($0) }
      }
      if isDemo {
        try await Demo(echo: echo.port, pages: pages.port).run()
        stop.request()
      }
      _ = try await (scrapes, clients)
    }
    print(report)
  }
}

/// Three clients and a look at the page.
struct Demo: Sendable {
  let echo: UInt16
  let pages: UInt16

  func run() async throws {
    var clients: [StreamConnection] = []
    for _ in 0..<3 {
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: echo)
      try await client.write("hello\n")
      _ = try await client.readLine()
      clients.append(client)
    }
    var page = ""
    // The next sample tells of the clients.
    for _ in 0..<500 where !page.contains("asyncio_network_received_bytes_total{loop=\"main\"} 1") {
      try await sleep(for: .milliseconds(20))
      page = try await scrape()
    }
    print(page, terminator: "")
    for client in clients { client.close() }
  }

  private func scrape() async throws -> String {
    let connection = try await StreamConnection.connect(host: "127.0.0.1", port: pages)
    defer { connection.close() }
    try await connection.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return String(decoding: try await connection.readToEnd(), as: UTF8.self)
  }
}

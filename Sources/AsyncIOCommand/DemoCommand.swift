import ArgumentParser
import AsyncIO
import AsyncIOPrograms
import CAsyncIO

/// `asyncio demo`: real traffic through a loop that a policy chose.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "See a loop run: an echo server and its clients in this process.",
    discussion: """
      A policy makes the loop, the loop takes the process over, and everything runs on it in one thread: the server, \
      the clients, the main actor, actors and timers. Prints what ran where, the throughput, and latency percentiles.
      """
  )

  @Option(parsing: .unconditional, help: "Clients at a time.", transform: OptionValue.number(1...4096))
  var connections = 64

  @Option(parsing: .unconditional, help: "Bytes of a message.", transform: OptionValue.number(1...1_048_576))
  var size = 64

  @Option(
    parsing: .unconditional, help: "Seconds of traffic; 3, or 60 with --inspect.",
    transform: OptionValue.seconds(0.001...3600))
  var seconds: Double?

  @Flag(help: "Show the demo on a page, live: prints its address.")
  var inspect = false

  @OptionGroup var loop: LoopOptions

  func run() throws {
    let (connections, size, inspect) = (connections, size, inspect)
    let seconds = seconds ?? (inspect ? 60 : 3)
    let kind = loop.loop ?? "the default"
    try loop.run { _ in
      let loop = try getRunningLoop()
      let backend = (loop as? BaseEventLoop)?.backendName ?? "unknown"
      print("policy: \(kind); loop: \(type(of: loop)) over \(backend)\n")
      try await WhatRunsWhere.show()
      let page = inspect ? try await DemoPage.open() : nil
      let traffic = Traffic(connections: connections, size: size, duration: .seconds(seconds))
      let result = try await traffic.run()
      print(result.table)
      try await page?.close()
    }
  }
}

/// Shows that everything runs on the loop's thread.
enum WhatRunsWhere {
  actor Counter {
    func thread() -> Int { currentThread() }
  }

  @concurrent static func concurrentThread() async -> Int { currentThread() }

  static func show() async throws {
    var rows = [("the main task", currentThread())]
    rows.append(("MainActor", await MainActor.run { currentThread() }))
    rows.append(("Task { }", await Task { currentThread() }.value))
    rows.append(("Task.detached { }", await Task.detached { currentThread() }.value))
    rows.append(("an actor", await Counter().thread()))
    rows.append(("a @concurrent function", await concurrentThread()))
    try await Task.sleep(for: .milliseconds(1))
    rows.append(("after Task.sleep", currentThread()))
    let callback = try getRunningLoop().createFuture(of: Int.self)
    try getRunningLoop().callSoon { try callback.setResult(currentThread()) }
    rows.append(("a callback of callSoon", try await callback.get()))
    for (what, thread) in rows {
      print("  \(what.padded(to: 24)) thread \(thread)")
    }
    print("")
  }
}

/// An echo server and its clients.
struct Traffic: Sendable {
  let connections: Int
  let size: Int
  let duration: Duration

  struct Result {
    var messages = 0
    var bytes = 0
    var elapsed: Duration = .zero
    var latencies: [Int64] = []

    var table: String {
      let seconds = elapsed / .seconds(1)
      let sorted = latencies.sorted()
      func percentile(_ p: Double) -> String {
        guard !sorted.isEmpty else { return "-" }
        let nanoseconds = sorted[min(sorted.count - 1, Int(Double(sorted.count) * p))]
        return "\((Double(nanoseconds) / 1e3).rounded(to: 1)) µs"
      }
      let rows = [
        ("messages", "\(messages)"),
        ("throughput", "\(Int(Double(messages) / seconds)) messages/s"),
        ("", "\((Double(bytes) / seconds / 1e6).rounded(to: 1)) MB/s each way"),
        ("latency p50", percentile(0.50)),
        ("latency p90", percentile(0.90)),
        ("latency p99", percentile(0.99)),
        ("latency p99.9", percentile(0.999)),
        ("latency max", percentile(1)),
      ]
      let table = rows.map { "  \($0.0.padded(to: 24)) \($0.1)" }
      return (table + ["", "  how long a message took, there and back"] + LatencyChart.lines(sorted))
        .joined(separator: "\n")
    }
  }

  /// Loop thread only: clients are tasks of one loop. That is what makes the unchecked conformance right.
  final class Collector: @unchecked Sendable {
    var result = Result()
    var isOver = false
  }

  func run() async throws -> Result {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    let loop = try getRunningLoop()
    let serving = try loop.createTask(name: "server") { try await listener.serve(EchoCommand.echo) }
    let collector = Collector()
    let start = loop.time()
    let timer = try loop.callLater(duration) { collector.isOver = true }
    let progress = try loop.createTask(name: "progress") {
      try await showProgress(since: start, collector)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<connections {
        group.addTask { try await client(port: listener.port, loop, collector) }
      }
      try await group.waitForAll()
    }
    timer.cancel()
    collector.result.elapsed = start.duration(to: loop.time())
    progress.cancel()
    _ = try? await progress.get()
    listener.close()
    try await serving.get()
    return collector.result
  }

  private func client(port: UInt16, _ loop: any EventLoop, _ collector: Collector) async throws {
    let connection = try await StreamConnection.connect(host: "127.0.0.1", port: port)
    defer { connection.close() }
    let message = [UInt8](repeating: UInt8(ascii: "x"), count: size)
    while !collector.isOver {
      let sent = loop.time()
      // A message larger than the buffers of the system needs its echo to be read while it is written.
      async let echo = connection.readExactly(size)
      try await connection.write(message)
      guard try await echo == message else { throw DemoError.wrongEcho }
      collector.result.latencies.append(loop.time().nanoseconds - sent.nanoseconds)
      collector.result.messages += 1
      collector.result.bytes += size
    }
  }

  private func showProgress(since start: EventLoopInstant, _ collector: Collector) async throws {
    let loop = try getRunningLoop()
    let progress = Progress("demo", total: Int(duration / .milliseconds(1)), unit: "ms")
    defer { progress.end() }
    while !collector.isOver {
      progress.show(Int(start.duration(to: loop.time()) / .milliseconds(1)), "\(collector.result.messages) messages")
      try await sleep(for: .milliseconds(100))
    }
  }
}

enum DemoError: Error, CustomStringConvertible {
  case wrongEcho
  var description: String { "the echo differs from what was sent" }
}

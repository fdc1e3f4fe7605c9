// The same over TLS: what a message allocates and what an idle connection holds, beside what OpenSSL does for it.
//
// Idle connections have clients in another process, a program in Python: here their side would be counted as well.

import AsyncIO
import Benchmark
import CAllocations

/// Settings of a server and of its client, with a certificate made for them by the program openssl.
struct Protection {
  static let host = "localhost"

  /// Before OpenSSL is used for anything: once in a process.
  private static let isApart = callocations_tell_openssl_apart()

  let server: TLSContext
  let client: TLSContext

  /// On a loop.
  init() async throws {
    guard Self.isApart else {
      throw EventLoopError(.invalidArgument, "OpenSSL's memory cannot be told apart: is libcrypto installed?")
    }
    let made = try await ChildProcess.run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=\(Self.host)", "-addext", "subjectAltName=DNS:\(Self.host)", "-keyout", "-", "-out", "-",
      ], standardError: .pipe)
    server = try TLSContext(.server(.pem(chain: made.text, key: made.text)))
    client = try TLSContext(.client(trusting: .pem(made.text)))
  }
}

private func countEcho(
  _ name: String, on loop: String,
  _ serve: @escaping @Sendable (BaseEventLoop, TLSContext, (UInt16) async throws -> Void) async throws -> Void
) {
  count("streams.echo.tls.\(name).\(loop)", on: loop) { bench in
    let (meter, loop) = (bench.meter, bench.loop)
    // Fewer, because each is dear.
    meter.operations = 1000
    try bench.runner.run {
      let protection = try await Protection()
      try await serve(loop, protection.server) { port in
        try await measureExchanges(meter, port: port, tls: protection.client)
      }
    }
  }
}

private func countIdle(
  _ name: String, on loop: String,
  _ serve: @escaping @Sendable (BaseEventLoop, TLSContext, (UInt16) async throws -> Void) async throws -> Void
) {
  // Once: it takes hundreds of handshakes, and the same each time.
  register("idle.tls.\(name).\(loop)", protectedTolerances, on: loop, times: 1) { bench in
    let loop = bench.loop
    return try bench.runner.run {
      var figures: [BenchmarkMetric: Int] = [:]
      try await serve(loop, try await Protection().server) { port in
        let clients = try await IdleClients(port: port)
        figures = try await countHeld { try await clients.connect($0) }
        try await clients.close()
      }
      return figures
    }
  }
}

/// Clients that have had a message echoed and wait, in a process of their own.
private struct IdleClients {
  private let program: ChildProcess

  init(port: UInt16) async throws {
    let directory = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    program = try await ChildProcess.spawn(
      "python3", ["/\(directory)/idle_clients.py", "\(port)"], standardInput: .pipe, standardOutput: .pipe)
  }

  func connect(_ count: Int) async throws {
    try await program.standardInput?.write("\(count)\n")
    let answer = try await program.standardOutput?.readLine()
    precondition(answer == "\(count)", "the clients of idle connections have failed")
  }

  /// Let them say goodbye.
  func close() async throws {
    program.standardInput?.close()
    _ = try await program.wait()
    program.close()
  }
}

/// Handlers are passed on as they are, for the reason given in Idle.swift.
private func countBoth(_ name: String, on loop: String, _ handler: @escaping Handler) {
  countEcho(name, on: loop) { _, tls, body in try await withServer(handler, tls: tls, body) }
  countIdle(name, on: loop) { _, tls, body in try await withServer(handler, tls: tls, body) }
}

func registerTLS(on loop: String) {
  countBoth("async", on: loop, echo)
  countBoth("sync", on: loop, echoSynchronously)
  countEcho("protocol", on: loop) { loop, tls, body in try await withProtocolServer(on: loop, tls: tls, body) }
  countIdle("protocol", on: loop) { loop, tls, body in try await withProtocolServer(on: loop, tls: tls, body) }
}

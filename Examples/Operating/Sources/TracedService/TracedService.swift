import AsyncIO
import AsyncIOServiceLifecycle
import AsyncIOTracing
import InMemoryTracing
import Logging
import ServiceLifecycle
import Tracing
import UnixSignals

/// An echo server and a client of it, as services of a group, each on a loop of its own, and both traced. The client
/// says three words and ends; that shuts the group down gracefully, as SIGTERM would. The spans are printed at the end.
@main struct TracedService {
  static func main() async throws {
    let tracer = InMemoryTracer()
    InstrumentationSystem.bootstrap(tracer)
    LoopTracing.enable()
    var logger = Logger(label: "traced")
    logger.logLevel = .error

    let (ports, port) = AsyncStream.makeStream(of: UInt16.self)
    let echo = ListenerService(
      "echo", drain: .seconds(5), whenStopped: { print("echo stopped, \($0.unfinished.count) clients cut") }
    ) {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      port.yield(listener.port)
      return listener
    } handler: {
      try await traced("echo") { connection in
        for try await line in connection.lines(limit: 1000) { try await connection.write("\(line)\n") }
      }($0)
    }
    let client = LoopService("client") { _ in
      guard let port = await ports.first(where: { _ in true }) else { return }
      try await withSpan("conversation") { span in
        let connection = try await StreamConnection.traced(to: "127.0.0.1", port: port) {
          try await StreamConnection.connect(host: "127.0.0.1", port: port)
        }
        defer { connection.close() }
        for word in ["one", "two", "three"] {
          try await connection.write("\(word)\n")
          guard let answer = try await connection.readLine() else { break }
          // A callback is not a task, and knows the span all the same.
          try getRunningLoop().callSoon {
            let context = ServiceContext.current ?? .topLevel
            tracer.activeSpan(identifiedBy: context)?.addEvent(SpanEvent(name: "heard \(answer)"))
          }
          try await sleep(for: .zero)
          span.attributes["words"] = word
        }
      }
    }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          ServiceGroupConfiguration.ServiceConfiguration(service: echo),
          ServiceGroupConfiguration.ServiceConfiguration(
            service: client, successTerminationBehavior: .gracefullyShutdownGroup),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
    for line in outline(of: tracer.finishedSpans) { print(line) }
  }
}

import AsyncIO
import Logging
import POSIX

nonisolated(unsafe) let policyCases: [String: () throws -> Void] = [
  "loop-kind": loopKind,
  "loop-kind-reread": loopKindReread,
  "proactor-denied": proactorDenied,
]

/// Keeps what is logged, so that warnings can be counted.
private struct RecordingLogHandler: LogHandler {
  static let lines = Lock<[String]>([])

  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    Self.lines.withLock { $0.append("\(event.level): \(event.message)") }
  }
}

private func loopKind() throws {
  fact("names", EventLoopKinds.names.joined(separator: ","))
  fact("refusal") {
    let loop = try newEventLoop()
    fact("kind", type(of: loop))
    fact("backend", (loop as? BaseEventLoop)?.backendName ?? "none")
    fact("debug", loop.isDebug)
    try loop.close()
  }
}

private func loopKindReread() throws {
  func backend() throws -> String {
    let loop = try newEventLoop()
    defer { try? loop.close() }
    return (loop as? BaseEventLoop)?.backendName ?? "none"
  }
  fact("before", try backend())
  setenv("ASYNCIO_EVENT_LOOP", "poll", 1)
  fact("same policy", try backend())
  setEventLoopPolicy(nil)
  fact("after restore", try backend())
}

/// Everything that asks for a proactor loop where there is none.
private func proactorDenied() throws {
  LoggingSystem.bootstrap { _ in RecordingLogHandler() }
  fact("refusal") { _ = try ProactorEventLoop() }
  fact("refusal by name") { _ = try EventLoopKinds.make("proactor") }
  func use(_ loop: any EventLoop) throws -> String {
    defer { try? loop.close() }
    let slept = try loop.run {
      try await sleep(for: .microseconds(1))
      return try getRunningLoop() === loop
    }
    return "\(type(of: loop)): \(slept ? "works" : "does not work")"
  }
  // Twice each: the log says it once for all of them.
  for _ in 0..<2 {
    fact("by policy", try use(ProactorEventLoopPolicy().newEventLoop()))
    fact("by variable", try use(newEventLoop()))
  }
  let lines = RecordingLogHandler.lines.withLock { $0 }
  fact("log lines", lines.count)
  fact("log line", lines.first ?? "")
}

import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Servers that cannot accept: 88, and what ends a server that waits for a time or a place. The limit of open files is
/// the process's, so these tests have one each. The pause is an hour, so a test that waited for its end would not end.
@Suite(.timeLimit(.minutes(5)))
struct ShortageTests {
  /// Lower the limit of open files below what is open, and take what is free there, while the body runs. Not below
  /// eight: `poll` refuses more descriptors than the limit. Early numbers are ones that nobody gives back.
  private static func withoutNumbers(_ body: () async throws -> Void) async throws {
    var limit = rlimit()
    #expect(casyncio_open_file_limit(&limit) == 0)
    let former = limit
    limit.rlim_cur = 8
    setLimit(limit)
    var taken: [Int32] = []
    while case let number = dup(0), number >= 0 { taken.append(number) }
    defer {
      setLimit(former)
      for number in taken { _ = CAsyncIO.close(number) }
    }
    try await body()
  }

  private static func setLimit(_ limit: rlimit) {
    withUnsafePointer(to: limit) {
      #if canImport(Glibc)
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), $0)
      #else
        _ = setrlimit(RLIMIT_NOFILE, $0)
      #endif
    }
  }

  /// A server that pauses, with a client that waits for it. The body also gets what was reported.
  private static func withPausing(
    _ loop: BaseEventLoop, delay: Duration = .seconds(3600), closesWhenTold: Bool = false,
    _ body: (StreamListener, _ serving: Task<Void, any Error>, Recorder<ExceptionContext>) async throws -> Void
  ) async throws {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    defer { client.close() }
    let reports = Recorder<ExceptionContext>()
    loop.exceptionHandler = { _, context in
      reports.record(context)
      if closesWhenTold { listener.close() }
    }
    try await withoutNumbers {
      let serving = try loopTask {
        let server = ConnectionServer(listener, limit: .max, retryDelay: delay) { try await $0.write("served") }
        await server.run()
      }
      try await turnUntil { !reports.all.isEmpty }
      try await body(listener, serving, reports)
    }
    if !listener.isClosed { #expect(try await client.readToEnd() == Array("served".utf8)) }
    if delay >= .seconds(3600) { #expect(reports.all.count == 1, "\(reports.all)") }
    #expect((reports.all.first?.exception as? IOError)?.errno == .tooManyOpenFiles)
  }

  @Test(
    "88: a listener that is closed during the pause ends its serve at once, silently", arguments: LoopKind.allCases,
    [false, true])
  func closed(kind: LoopKind, byThread: Bool) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind, byThread = byThread as Bool] in
      try await kind.run { loop in
        try await Self.withPausing(loop) { listener, serving, _ in
          if byThread { startThread { listener.close() } } else { listener.close() }
          try await serving.value
          #expect(loop.scheduledTimerCount == 0)
        }
      }
    }
  }

  @Test("88: the exception handler that gets the shortage may close the listener", arguments: LoopKind.allCases)
  func closedByReport(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await kind.run { loop in
        try await Self.withPausing(loop, closesWhenTold: true) { _, serving, _ in try await serving.value }
      }
    }
  }

  @Test("88: after the pause the client that waited is served", arguments: LoopKind.allCases)
  func goesOn(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await kind.run { loop in
        let served = Recorder<Task<Void, any Error>>()
        try await Self.withPausing(loop, delay: .milliseconds(1)) { _, serving, _ in served.record(serving) }
        served.all[0].cancel()
        try await served.all[0].value
      }
    }
  }

  @Test("A loop that is closed during the pause ends the serve", arguments: LoopKind.allCases)
  func loopClosed(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      let loop = try kind.makeLoop()
      let servings = Recorder<Task<Void, any Error>>()
      try await loop.run {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        _ = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        let told = Flag()
        loop.exceptionHandler = { _, _ in told.set() }
        try await Self.withoutNumbers {
          servings.record(
            try loopTask { await ConnectionServer(listener, limit: 1, retryDelay: .seconds(3600)) { _ in }.run() })
          try await turnUntil { told.isSet }
        }
      }
      try loop.close()
      try await servings.all[0].value
    }
  }

  @Test(
    "A loop that is closed while its serve has no place left ends it with its last handler, with code closed",
    arguments: LoopKind.allCases)
  func loopClosedWhenFull(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let serving = try await loop.run {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let reading = Recorder<StreamConnection>()
      let serving = try loopTask {
        try await listener.serve(maximumConnections: 2) { connection in
          reading.record(connection)
          _ = try await connection.read(upTo: 1)
        }
      }
      for _ in 0..<4 {
        let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        // Kept until the end of the loop: a client that is gone would end its handler.
        try loop.callLater(.seconds(3600)) { client.close() }
      }
      try await turnUntil { reading.all.count == 2 && reading.all.allSatisfy(\.isReading) }
      return serving
    }
    try loop.close()
    let error = try await failure(EventLoopError.self) { try await serving.value }
    #expect(error.code == .closed)
  }
}

import Testing

@testable import AsyncIO

/// Reports name whom they are about: the peer, and the task.
@Suite(.timeLimit(.minutes(5)))
struct NamedReportTests {
  private struct Broken: Error {}

  /// Let a client come and go, and tell how a report has to end that names it: its address, and the server's.
  private func visit(_ address: SocketAddress) async throws -> String {
    let client = try await StreamConnection.connect(to: address)
    defer { client.close() }
    let (near, far) = (try #require(client.localAddress), try #require(client.peerAddress))
    _ = try? await client.readToEnd()
    return ", \(far) to \(near)"
  }

  @Test(
    "A handler's failure names the number and both addresses, in debug mode even if the handler closed the connection",
    arguments: LoopKind.allCases, [false, true])
  func served(kind: LoopKind, closes: Bool) async throws {
    try await kind.run { loop in
      loop.isDebug = closes
      let reports = Reports(of: loop)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let names = Recorder<String>()
      let serving = try loopTask {
        try await listener.serve { connection in
          names.record("descriptor \(connection.descriptor.fileDescriptor)")
          if closes { connection.close() }
          throw Broken()
        }
      }
      let visitor = try await visit(listener.addresses[0])
      listener.close()
      try await serving.value
      #expect(reports.all.map(\.socket) == [names.all[0] + visitor])
    }
  }

  @Test(
    "The error of a protocol names its socket, even if the connection is lost, and that of a factory its client",
    arguments: LoopKind.allCases, [false, true])
  func servers(kind: LoopKind, hasProtocol: Bool) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
        guard hasProtocol else { throw Broken() }
        return ScriptedProtocol {
          $0.onMade = { $0.abort() }
          $0.onLost = { throw Broken() }
        }
      }
      let visitor = try await visit(server.addresses[0])
      try await turnUntil { !reports.all.isEmpty }
      let socket = try #require(reports.all[0].socket)
      #expect(socket.hasPrefix("descriptor ") && socket.hasSuffix(visitor))
      server.close()
    }
  }

  /// Keep the thread for longer than a step may take.
  private static func block(_ loop: BaseEventLoop) {
    let end = loop.time().advanced(by: .milliseconds(6))
    while loop.time() < end {}
  }

  /// What the loop logs of the body's steps.
  private func log(
    _ kind: LoopKind, _ body: @escaping @Sendable (BaseEventLoop) async throws -> Void
  ) async throws -> [String] {
    try await kind.withLoop { loop in
      loop.isDebug = true
      loop.slowCallbackDuration = .milliseconds(5)
      let log = CapturedLog(of: loop)
      try loop.run {
        try await body(loop)
        loop.slowCallbackDuration = .seconds(3600)
      }
      return log.messages
    }
  }

  @Test("A slow step names its task: the first one, one in the middle, and the last", arguments: LoopKind.allCases)
  func slowSteps(kind: LoopKind) async throws {
    let log = try await log(kind) { loop in
      try await loop.createTask(name: "only") { Self.block(loop) }.get()
      try await loop.createTask(name: "middle") {
        try await sleep(for: .zero)
        Self.block(loop)
        try await sleep(for: .zero)
      }.get()
      try await loop.createTask(name: "last") {
        try await sleep(for: .zero)
        Self.block(loop)
      }.get()
      for hasTurns in [false, true] {
        try await loop.createTask(name: "old") {
          if hasTurns { try await sleep(for: .zero) }
          currentTask()?.taskName = hasTurns ? "renamed later" : "renamed at once"
          Self.block(loop)
        }.get()
      }
    }
    let place = ", made at AsyncIOTests/NamedReportTests.swift:"
    // Unless it is known that the job of a task is the task, only first steps are named; all are reported.
    let later = ["middle", "last", "renamed later"]
    for name in ["only", "renamed at once"] + (RuntimeKnowledge.jobsOfTasks.isInUse ? later : []) {
      #expect(log.contains { $0.hasPrefix("executing a job of \(name)\(place)") }, "\(name)")
    }
    #expect(log.filter { $0.hasPrefix("executing a job ") }.count >= 5)
  }

  @Test("A slow step of a task that createTask did not make stays a job", arguments: LoopKind.allCases)
  func plainTasks(kind: LoopKind) async throws {
    let log = try await log(kind) { loop in
      await Task(executorPreference: loop.taskExecutor) { Self.block(loop) }.value
    }
    #expect(log.contains { $0.hasPrefix("executing a job took ") })
  }
}

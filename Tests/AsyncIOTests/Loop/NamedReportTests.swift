import Testing

@testable import AsyncIO

/// Reports name whom they are about: the peer, and the task.
@Suite(.timeLimit(.minutes(5)))
struct NamedReportTests {
  private struct Broken: Error {}

  @Test("The failure of a handler names the number and both addresses", arguments: LoopKind.allCases)
  func served(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let names = Recorder<String>()
      let serving = try loopTask {
        try await listener.serve { connection in
          names.record("descriptor \(connection.descriptor.fileDescriptor), ")
          throw Broken()
        }
      }
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      let (near, far) = (try #require(client.localAddress), try #require(client.peerAddress))
      #expect(try await client.readToEnd() == [])
      listener.close()
      try await serving.value
      #expect(reports.all.map(\.socket) == ["\(names.all[0])\(far) to \(near)"])
      client.close()
    }
  }

  @Test("In debug mode so does that of a handler that closed its connection", arguments: LoopKind.allCases)
  func servedAndClosed(kind: LoopKind) async throws {
    try await kind.run { loop in
      loop.isDebug = true
      let reports = Reports(of: loop)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask {
        try await listener.serve { connection in
          connection.close()
          throw Broken()
        }
      }
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      let (near, far) = (try #require(client.localAddress), try #require(client.peerAddress))
      #expect(try await client.readToEnd() == [])
      listener.close()
      try await serving.value
      #expect(reports.all.map(\.socket).allSatisfy { $0?.hasSuffix(", \(far) to \(near)") == true })
      #expect(reports.all.count == 1)
      client.close()
    }
  }

  @Test("The error of a protocol names its socket, also when the connection is lost", arguments: LoopKind.allCases)
  func transports(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
        ScriptedProtocol {
          $0.onMade = { $0.abort() }
          $0.onLost = { throw Broken() }
        }
      }
      let client = try await StreamConnection.connect(to: server.addresses[0])
      let (near, far) = (try #require(client.localAddress), try #require(client.peerAddress))
      _ = try? await client.readToEnd()
      try await turnUntil { !reports.all.isEmpty }
      let socket = try #require(reports.all[0].socket)
      #expect(socket.hasPrefix("descriptor ") && socket.hasSuffix(", \(far) to \(near)"))
      client.close()
      server.close()
    }
  }

  @Test("A client that the factory of a server refuses is named", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) { () throws -> ScriptedProtocol in
        throw Broken()
      }
      let client = try await StreamConnection.connect(to: server.addresses[0])
      let (near, far) = (try #require(client.localAddress), try #require(client.peerAddress))
      _ = try? await client.readToEnd()
      try await turnUntil { !reports.all.isEmpty }
      #expect(reports.all[0].socket?.hasSuffix(", \(far) to \(near)") == true)
      client.close()
      server.close()
    }
  }

  @Test("A slow step names its task: the first one, one in the middle, and the last", arguments: LoopKind.allCases)
  func slowSteps(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      loop.isDebug = true
      loop.slowCallbackDuration = .milliseconds(5)
      let log = CapturedLog(of: loop)
      @Sendable func block() {
        let end = loop.time().advanced(by: .milliseconds(6))
        while loop.time() < end {}
      }
      try loop.run {
        try await loop.createTask(name: "only") { block() }.get()
        try await loop.createTask(name: "middle") {
          try await sleep(for: .zero)
          block()
          try await sleep(for: .zero)
        }.get()
        try await loop.createTask(name: "last") {
          try await sleep(for: .zero)
          block()
        }.get()
        loop.slowCallbackDuration = .seconds(3600)
      }
      let place = ", made at AsyncIOTests/NamedReportTests.swift:"
      for name in ["only", "middle", "last"] {
        #expect(log.messages.contains { $0.hasPrefix("executing a job of \(name)\(place)") }, "\(name)")
      }
    }
  }

  @Test("A slow step of a task that createTask did not make stays a job", arguments: LoopKind.allCases)
  func plainTasks(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      loop.isDebug = true
      loop.slowCallbackDuration = .milliseconds(5)
      let log = CapturedLog(of: loop)
      try loop.run {
        await Task(executorPreference: loop.taskExecutor) {
          let end = loop.time().advanced(by: .milliseconds(6))
          while loop.time() < end {}
        }.value
        loop.slowCallbackDuration = .seconds(3600)
      }
      #expect(log.messages.contains { $0.hasPrefix("executing a job took ") })
    }
  }
}

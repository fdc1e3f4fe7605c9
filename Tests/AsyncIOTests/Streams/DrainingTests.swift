import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// `serve` with a graceful stop: who may end, who is cancelled, and what the report says.
@Suite(.timeLimit(.minutes(5)))
struct DrainingTests {
  private static func echo(_ connection: StreamConnection) async throws {
    try await connection.forEachChunk { try await connection.write($0) }
  }

  /// Connect and exchange a byte, so that the handler runs.
  private static func client(of listener: StreamListener) async throws -> StreamConnection {
    let client = try await StreamConnection.connect(to: listener.addresses[0])
    try await client.write("a")
    #expect(try await client.readExactly(1) == Array("a".utf8))
    return client
  }

  @Test("Closed, it refuses clients at once and lets those end that are there", arguments: LoopKind.allCases)
  func everybodyEnds(kind: LoopKind) async throws {
    try await kind.run { _ in
      // An address of its own: on a shared one another test could get the port as soon as it is free.
      let listener = try await StreamListener.bind(host: kind == .epoll ? "127.84.86.1" : "127.84.86.2", port: 0)
      let serving = try loopTask { try await listener.serve(drain: .seconds(3600), Self.echo) }
      let client = try await Self.client(of: listener)
      listener.close()
      let error = try await failure(IOError.self) {
        _ = try await StreamConnection.connect(to: listener.addresses[0])
      }
      #expect(error.errno == .connectionRefused)
      try await client.write("b")
      #expect(try await client.readExactly(1) == Array("b".utf8))
      client.close()
      let report = try await serving.value
      #expect(report.wasRequested && !report.wasForced && report.signal == nil)
      #expect(report.unfinished.isEmpty, "\(report)")
    }
  }

  @Test("After the limit it cancels the others, awaits them, and names their peers", arguments: LoopKind.allCases)
  func limit(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let cleanedUp = Flag()
      let serving = try loopTask {
        try await listener.serve(drain: .milliseconds(20)) { connection in
          defer { cleanedUp.set() }
          try await Self.echo(connection)
        }
      }
      let client = try await Self.client(of: listener)
      let began = loop.time()
      listener.close()
      let report = try await serving.value
      #expect(cleanedUp.isSet)
      #expect(began.duration(to: loop.time()) >= .milliseconds(20))
      #expect(report.duration >= .milliseconds(20) && !report.wasForced)
      #expect(report.unfinished.map(\.peer) == [client.localAddress], "\(report)")
      #expect(report.unfinished.allSatisfy { $0.duration >= .milliseconds(20) && $0.duration <= report.duration })
      #expect(report.unfinished[0].name.contains("\(client.localAddress!)"), "\(report)")
      #expect(try await client.readToEnd() == [])
      #expect(reports.all.isEmpty, "\(reports.all)")
    }
  }

  @Test(
    "No time at all cancels at once", arguments: LoopKind.allCases, [Duration.zero, .seconds(-1), .seconds(Int64.min)])
  func noTime(kind: LoopKind, drain: Duration) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask { try await listener.serve(drain: drain, Self.echo) }
      let client = try await Self.client(of: listener)
      listener.close()
      #expect(try await serving.value.unfinished.count == 1)
      client.close()
    }
  }

  @Test("No limit waits as long as it takes, also the longest one", arguments: LoopKind.allCases)
  func endless(kind: LoopKind) async throws {
    try await kind.run { loop in
      for drain in [nil, Duration.seconds(Int64.max)] {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        let serving = try loopTask { try await listener.serve(drain: drain, Self.echo) }
        let client = try await Self.client(of: listener)
        listener.close()
        try await sleep(for: .milliseconds(2))
        client.close()
        #expect(try await serving.value.unfinished.isEmpty)
        #expect(loop.scheduledTimerCount == 0)
      }
    }
  }

  @Test("A cancelled call cancels the handlers and throws, before a request and after", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      for isRequested in [false, true] {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        let serving = try loopTask { try await listener.serve(drain: .seconds(3600), Self.echo) }
        let client = try await Self.client(of: listener)
        if isRequested { listener.close() }
        serving.cancel()
        await #expect(throws: CancellationError.self) { _ = try await serving.value }
        #expect(try await client.readToEnd() == [])
        listener.close()
        #expect(loop.scheduledTimerCount == 0)
      }
    }
  }

  @Test("A connection that waits for a place is served, not dropped", arguments: LoopKind.allCases)
  func held(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      // Taken by an `accept` that gave up: the server has them before it has a place for the second one.
      try listener.startServing()
      let accepting = try loopTask { try await listener.accept() }
      try await turnUntil { !listener.acceptQueue.isEmpty || listener.accepting.contains { $0.state == .inFlight } }
      accepting.cancel()
      _ = await accepting.result
      let first = try await StreamConnection.connect(to: listener.addresses[0])
      try await turnUntil { !listener.acceptQueue.isEmpty }
      let serving = try loopTask {
        try await listener.serve(maximumConnections: 1, drain: .seconds(3600)) { connection in
          try await connection.write("served\n")
          _ = try await connection.readToEnd()
        }
      }
      #expect(try await first.readLine() == "served")
      listener.close()
      first.close()
      #expect(try await serving.value.unfinished.isEmpty)
    }
  }

  @Test("A handler that ignores its cancellation is reported while it is waited for", arguments: LoopKind.allCases)
  func stubborn(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Recorder<String>()
      let release = Future<Void>(loop: loop)
      loop.exceptionHandler = { _, context in
        reports.record(context.message)
        release.complete(.success(()))
      }
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let stop = GracefulStop(loop, drain: .milliseconds(1), patience: .milliseconds(5))
      let serving = try loopTask {
        try await listener.serve(until: stop) { connection in
          try await connection.write(try await connection.readExactly(1))
          await Task { try? await release.get() }.value
        }
      }
      let client = try await Self.client(of: listener)
      stop.request()
      let report = try await serving.value
      #expect(report.unfinished.map(\.peer) == [client.localAddress])
      #expect(reports.all.count == 1)
      #expect(reports.all[0].contains(report.unfinished[0].name), "\(reports.all)")
      stop.end()
      client.close()
    }
  }

  @Test("Several listeners stop together; a report has only the listener's own", arguments: LoopKind.allCases)
  func together(kind: LoopKind) async throws {
    try await kind.run { loop in
      let stop = GracefulStop(loop, drain: .milliseconds(5))
      var listeners: [StreamListener] = []
      var serving: [Task<DrainReport, any Error>] = []
      var clients: [StreamConnection] = []
      for _ in 0..<2 {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        listeners.append(listener)
        serving.append(try loopTask { try await listener.serve(until: stop, Self.echo) })
        clients.append(try await Self.client(of: listener))
      }
      stop.request()
      for (task, client) in zip(serving, clients) {
        #expect(try await task.value.unfinished.map(\.peer) == [client.localAddress])
        client.close()
      }
      #expect(!listeners.contains { !$0.isClosed })
      // Too late to serve, and the call says that it is over.
      let late = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      #expect(try await late.serve(until: stop, Self.echo).unfinished.isEmpty)
      #expect(late.isClosed)
      stop.end()
    }
  }

  @Test("Closing one listener of a stop ends that server and no other", arguments: LoopKind.allCases)
  func closeOne(kind: LoopKind) async throws {
    try await kind.run { loop in
      let stop = GracefulStop(loop, drain: .zero)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask { try await listener.serve(until: stop, Self.echo) }
      let client = try await Self.client(of: listener)
      listener.close()
      try await client.write("b")
      #expect(try await client.readExactly(1) == Array("b".utf8))
      #expect(!stop.isRequested)
      client.close()
      #expect(try await !serving.value.wasRequested)
    }
  }

  @Test("What cannot be is refused, and leaves the listener free", arguments: LoopKind.allCases)
  func refusals(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      for signal in [Int32(0), 65, -1, SIGKILL] {
        let error = try await failure(EventLoopError.self) {
          try await listener.serve(drain: nil, on: [SIGUSR2, signal], Self.echo)
        }
        #expect(error.code == .invalidArgument && error.description.hasPrefix("serve: "), "\(error)")
      }
      #expect(!loop.removeSignalHandler(SIGUSR2))
      let error = try await failure(EventLoopError.self) {
        try await listener.serve(maximumConnections: 0, drain: nil, Self.echo)
      }
      #expect(error.code == .invalidArgument)
      let other = try kind.makeLoop()
      defer { try? other.close() }
      let stop = GracefulStop(other, drain: nil)
      let foreign = try await failure(EventLoopError.self) { try await listener.serve(until: stop, Self.echo) }
      #expect(foreign.code == .foreignLoop)
      let serving = try loopTask { try await listener.serve(drain: nil, Self.echo) }
      try await Self.client(of: listener).close()
      listener.close()
      #expect(try await serving.value.unfinished.isEmpty)
    }
  }

  @Test("Two listeners of one loop and its own handler all get the signal", arguments: LoopKind.allCases)
  func signal(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { loop in
        let handled = Flag()
        try loop.addSignalHandler(SIGTERM) { handled.set() }
        var serving: [Task<DrainReport, any Error>] = []
        for _ in 0..<2 {
          let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
          serving.append(
            try loopTask { try await listener.serve(drain: .seconds(3600), on: [SIGTERM, SIGUSR1], Self.echo) })
          let client = try await Self.client(of: listener)
          try loopTask {
            _ = try await client.read(upTo: 1)
            client.close()
          }
        }
        kill(getpid(), SIGTERM)
        try await turnUntil { handled.isSet }
        // Idle clients would keep them for an hour: the second signal does not.
        kill(getpid(), SIGUSR1)
        for task in serving {
          let report = try await task.value
          #expect(report.signal == SIGTERM && report.wasForced && report.unfinished.count == 1, "\(report)")
        }
        #expect(loop.removeSignalHandler(SIGTERM))
      }
    }
  }
}

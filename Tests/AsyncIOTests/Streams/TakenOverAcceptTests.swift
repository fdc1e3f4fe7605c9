import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Accept operations that go from one call to the next, and what ends them.
@Suite(.timeLimit(.minutes(5)))
struct TakenOverAcceptTests {
  /// A handler that writes "served" and keeps its connection until the client has said a line.
  private static func handler(_ peak: Recorder<Int>) -> @Sendable (StreamConnection) async throws -> Void {
    let running = Counter()
    return { connection in
      running.add(1)
      peak.record(running.value)
      try await connection.write("served\n")
      _ = try await connection.readLine()
      running.add(-1)
    }
  }

  /// A call has ended, or nothing else is looked at: it would be waited for.
  private static func expect(_ ended: Flag) async throws {
    try await turnUntil(turns: 100_000) { ended.isSet }
    try #require(ended.isSet)
  }

  @Test(
    "serve(maximumConnections:) takes over what is in flight for a cancelled accept, on each address, within its limit",
    arguments: LoopKind.allCases)
  func takenOver(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await AbandonedAcceptTests.bindTwo()
      try await AbandonedAcceptTests.abandon(listener)
      let peak = Recorder<Int>()
      let ended = Flag()
      let serving = try loopTask {
        defer { ended.set() }
        try await listener.serve(maximumConnections: 1, Self.handler(peak))
      }
      try await turnUntil { listener.server != nil }
      #expect(listener.accepting.allSatisfy { $0.state == .inFlight }, "nobody has ended them")
      // Both at once: the loop does not turn in between.
      let numbers = try listener.addresses.map { try connectBlocking(to: $0) }
      let clients = numbers.map { StreamConnection($0, core: listener.core) }
      try await turnUntil(turns: 100_000) { !peak.all.isEmpty }
      try #require(!peak.all.isEmpty)
      for client in clients { try await client.write("bye\n") }
      for client in clients {
        #expect(try await withTimeout(.seconds(30)) { try await client.readLine() } == "served")
        client.close()
      }
      #expect(peak.all == [1, 1])
      listener.close()
      try await Self.expect(ended)
      try await serving.value
    }
  }

  @Test(
    "A serve that took over and is cancelled ends, and leaves the next client to the next call",
    arguments: LoopKind.allCases)
  func takenOverAndCancelled(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await AbandonedAcceptTests.bindTwo()
      try await AbandonedAcceptTests.abandon(listener)
      let ended = Flag()
      let serving = try loopTask {
        defer { ended.set() }
        try await listener.serve { _ in Issue.record("nobody came") }
      }
      try await turnUntil { listener.server != nil }
      serving.cancel()
      try await Self.expect(ended)
      await #expect(throws: CancellationError.self) { try await serving.value }
      for address in listener.addresses {
        let client = try await StreamConnection.connect(to: address)
        let connection = try await withTimeout(.seconds(30)) { try await listener.accept() }
        try await connection.write("a")
        #expect(try await client.readExactly(1) == Array("a".utf8))
        connection.close()
        client.close()
      }
      listener.close()
    }
  }

  @Test("A serve cancelled before it begins leaves all to the next call", arguments: LoopKind.allCases)
  func cancelledAtTheBeginning(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await AbandonedAcceptTests.bindTwo()
      try await AbandonedAcceptTests.abandon(listener)
      let numbers = [try connectBlocking(to: listener.addresses[0])]
      try await turnUntil { listener.acceptQueue.count == 1 }
      // The look at the entry of `serve` is behind it: the cancellation comes from another thread just then.
      let server = ConnectionServer(listener, limit: .max) { _ in Issue.record("a cancelled server serves") }
      let ended = Flag()
      let serving = try loopTask {
        withUnsafeCurrentTask { $0?.cancel() }
        await server.run()
        ended.set()
      }
      try await Self.expect(ended)
      try await serving.value
      #expect(listener.accepting[1].state == .inFlight, "it is not this server's to end")
      for index in 0..<2 {
        let client =
          index == 0
          ? StreamConnection(numbers[0], core: loop) : try await StreamConnection.connect(to: listener.addresses[1])
        let connection = try await withTimeout(.seconds(30)) { try await listener.accept() }
        try await connection.write("a")
        #expect(try await client.readExactly(1) == Array("a".utf8))
        connection.close()
        client.close()
      }
      listener.close()
    }
  }

  @Test(
    "A serve that is cancelled while it lets others in accepts no more: those that wait are the next call's",
    arguments: LoopKind.allCases)
  func cancelledInABurst(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      try await AbandonedAcceptTests.abandon(listener)
      // More than a server takes in one turn, and all of them there before it begins.
      let numbers = try (0..<80).map { _ in try connectBlocking(to: listener.addresses[0]) }
      let clients = numbers.map { StreamConnection($0, core: loop) }
      try await turnUntil { listener.acceptQueue.count == 1 }
      let (started, lettingIn, ended) = (Counter(), Flag(), Flag())
      let tasks = Recorder<Task<Void, any Error>>()
      let serving = try loopTask {
        defer { ended.set() }
        try await listener.serve { _ in
          if started.value == 0 {
            if loop.hasDeferred { lettingIn.set() }
            tasks.all[0].cancel()
          }
          started.add(1)
        }
      }
      tasks.record(serving)
      try await Self.expect(ended)
      await #expect(throws: CancellationError.self) { try await serving.value }
      #expect(lettingIn.isSet, "the server was cancelled at another moment")
      let served = started.value
      #expect(served < 80)
      for _ in served..<80 {
        let connection = try await withTimeout(.seconds(30)) { try await listener.accept() }
        try await connection.write("a")
        connection.close()
      }
      // In the order in which they came.
      for (index, client) in clients.enumerated() {
        #expect(try await client.readToEnd() == (index < served ? [] : Array("a".utf8)), "\(index)")
        client.close()
      }
      listener.close()
    }
  }

  @Test(
    "A connection that the late end of an accept brings to a cancelled serve is closed", arguments: LoopKind.allCases)
  func late(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let server = ConnectionServer(listener, limit: .max) { _ in Issue.record("a cancelled server serves") }
      server.cancelAll()
      let sockets = try SocketPair()
      sockets.release(sockets.a)
      server.accepted(sockets.a)
      for _ in 0..<3 { try await sleep(for: .zero) }
      #expect(sockets.read(from: sockets.b) == 0)
      listener.close()
    }
  }

  // MARK: An end that nobody here asked for

  /// Lets a connection have the number of the listening socket, as where other code has closed it.
  private static func withLostNumber(
    _ kind: LoopKind, _ begin: @escaping @Sendable (StreamListener) async throws -> Void,
    _ expect: @escaping @Sendable (Result<Void, any Error>, [ExceptionContext]) throws -> Void
  ) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let descriptor = listener.accepting[0].descriptor
      let ended = Flag()
      let waiting = try loopTask {
        defer { ended.set() }
        try await begin(listener)
      }
      try await turnUntil { listener.accepting[0].state == .inFlight }
      let sockets = try SocketPair()
      try #require(dup2(sockets.a, descriptor.fileDescriptor) == descriptor.fileDescriptor)
      sockets.close(sockets.a)
      let other = StreamConnection(descriptor.fileDescriptor, core: loop)
      try await Self.expect(ended)
      try expect(await waiting.result, reports.all)
      // The number is the connection's, which notices nothing.
      sockets.write(3, to: sockets.b)
      #expect(try await withTimeout(.seconds(30)) { try await other.readExactly(3) } == [7, 7, 7])
      try await other.write("ab")
      var got = 0
      try await turnUntil {
        got += max(0, sockets.read(from: sockets.b))
        return got == 2
      }
      // The listener is not to close it.
      #expect(descriptor.letNumberGo())
      other.close()
      listener.close()
    }
  }

  @Test("accept: an error says that the listener's number now belongs to other code", arguments: LoopKind.allCases)
  func lostToAccept(kind: LoopKind) async throws {
    try await Self.withLostNumber(kind) {
      _ = try await $0.accept()
    } _: { result, _ in
      let error = #expect(throws: IOError.self) { try result.get() }
      #expect(error?.errno == .canceled && error?.operation == "accept")
    }
  }

  @Test("serve: it reports that, ends, and leaves the number alone", arguments: LoopKind.allCases)
  func lostToServe(kind: LoopKind) async throws {
    try await Self.withLostNumber(kind) {
      try await $0.serve { _ in }
    } _: { result, reports in
      try result.get()
      #expect(reports.map(\.message) == [Acceptor.lostNumber])
      #expect((reports.first?.exception as? IOError)?.errno == .canceled)
    }
  }
}

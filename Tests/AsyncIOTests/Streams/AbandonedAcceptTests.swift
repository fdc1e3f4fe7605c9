import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Connections that a listener accepted for a call that does not wait for them any more: they are handed on, or ended.
@Suite(.timeLimit(.minutes(5)))
struct AbandonedAcceptTests {
  /// Begin to accept and give up: what comes now is accepted for nobody.
  static func abandon(_ listener: StreamListener) async throws {
    let waiting = try loopTask { _ = try await listener.accept() }
    try await turnUntil { listener.accepting.allSatisfy { $0.state == .inFlight } }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
  }

  /// A client whose connection was accepted for nobody.
  private static func client(_ listener: StreamListener, _ index: Int = 0) async throws -> StreamConnection {
    let before = listener.acceptQueue.count
    let client = try await StreamConnection.connect(to: listener.addresses[index])
    try await turnUntil { listener.acceptQueue.count > before }
    return client
  }

  /// Wait until the peer sees the end, or a reset.
  static func expectEnd(of client: StreamConnection) async throws {
    do { #expect(try await client.read(upTo: 1) == []) } catch let error as IOError {
      #expect(error.errno == .connectionReset)
    }
    client.close()
  }

  static func bindTwo() async throws -> StreamListener {
    try await StreamListener.bind(hosts: ["127.0.0.1", "127.0.0.2"], port: 0)
  }

  @Test("close() ends a connection that came after a cancelled accept", arguments: LoopKind.allCases)
  func closing(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      try await Self.abandon(listener)
      let client = try await Self.client(listener)
      listener.close()
      try await Self.expectEnd(of: client)
      _ = try await failure(IOError.self) { _ = try await listener.accept() }
    }
  }

  @Test("It also ends those of the other address, called from anywhere", arguments: LoopKind.allCases)
  func twoAddresses(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await Self.bindTwo()
      let accepting = try loopTask { try await listener.accept() }
      let first = try await StreamConnection.connect(to: listener.addresses[0])
      let served = try await accepting.value
      let second = try await Self.client(listener, 1)
      try await inThread { listener.close() }
      try await Self.expectEnd(of: second)
      // What a call was given is its own.
      try await served.write("a")
      #expect(try await first.readExactly(1) == Array("a".utf8))
      first.close()
      served.close()
    }
  }

  @Test("A listener that is dropped ends them", arguments: LoopKind.allCases)
  func dropped(kind: LoopKind) async throws {
    try await kind.run { _ in
      func forgotten() async throws -> StreamConnection {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        try await Self.abandon(listener)
        return try await Self.client(listener)
      }
      try await Self.expectEnd(of: try await forgotten())
    }
  }

  @Test(
    "One that comes between the end of a listener in another thread and its close here ends",
    arguments: LoopKind.allCases
  )
  func droppedElsewhere(kind: LoopKind) async throws {
    try await kind.run { loop in
      /// Accepts in a listener that nothing but the queue's caller holds.
      func accepting() async throws -> (Held<StreamListener>, SocketAddress) {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        for operation in listener.accepting { listener.acceptQueue.begin(operation, on: loop) }
        return (Held(listener), listener.addresses[0])
      }
      let (held, address) = try await accepting()
      // The loop does not turn from here to the connection: the close from the other thread waits until it has come.
      TestThread { held.drop() }.join()
      #expect(held.isGone)
      let client = StreamConnection(try connectBlocking(to: address), core: loop)
      try await withTimeout(.seconds(30)) { try await Self.expectEnd(of: client) }
    }
  }

  @Test("The close of the loop ends them, while the listener lives", arguments: LoopKind.allCases)
  func closedLoop(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let (listener, client) = try await loop.run {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      try await Self.abandon(listener)
      return (listener, try await Self.client(listener))
    }
    let number = dup(client.descriptor.fileDescriptor)
    defer { _ = CAsyncIO.close(number) }
    try loop.close()
    let ended = try await inThread {
      var waited = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      poll(&waited, 1, 60_000)
      var byte: UInt8 = 0
      return [0, -Int(ECONNRESET)].contains(receiveBytes(number, &byte, 1))
    }
    #expect(ended)
    withExtendedLifetime(listener) {}
  }

  @Test(
    "serve(maximumConnections:) serves what an accept left, within its limit", arguments: LoopKind.allCases
  )
  func serving(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await Self.bindTwo()
      try await Self.abandon(listener)
      var clients = [try await Self.client(listener, 0), try await Self.client(listener, 1)]
      clients.append(try await StreamConnection.connect(to: listener.addresses[0]))
      let running = Counter()
      let peak = Recorder<Int>()
      let serving = try loopTask {
        try await listener.serve(maximumConnections: 1) { connection in
          running.add(1)
          peak.record(running.value)
          _ = try await connection.readLine()
          try await connection.write("done\n")
          running.add(-1)
        }
      }
      try await turnUntil { running.value == 1 }
      // All of them have something to say, and all but one wait for their turn.
      for client in clients { try await client.write("hello\n") }
      for client in clients {
        #expect(try await client.readLine() == "done")
        client.close()
      }
      #expect(peak.all == [1, 1, 1])
      listener.close()
      try await serving.value
    }
  }

  @Test("A serve that is cancelled as it begins leaves them to the next call", arguments: LoopKind.allCases)
  func cancelledServe(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      try await Self.abandon(listener)
      let client = try await Self.client(listener)
      let serving = try loopTask {
        withUnsafeCurrentTask { $0?.cancel() }
        try await listener.serve { _ in Issue.record("a cancelled server serves") }
      }
      await #expect(throws: CancellationError.self) { try await serving.value }
      let connection = try await listener.accept()
      try await connection.write("a")
      #expect(try await client.readExactly(1) == Array("a".utf8))
      connection.close()
      client.close()
      listener.close()
    }
  }

  @Test(
    "A connection that came while accept waited is its own, though the close came first", arguments: LoopKind.allCases)
  func handedOver(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let accepting = try loopTask { try await listener.accept() }
      try await turnUntil { listener.accepting[0].state == .inFlight }
      // Queued before each poll, so it runs before the task that the poll resumes.
      @Sendable func closeWhenHanded() {
        if listener.accepting[0].state == .done { return listener.close() }
        _ = try? loop.callSoon { closeWhenHanded() }
      }
      closeWhenHanded()
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      let connection = try await accepting.value
      #expect(listener.isClosed)
      try await connection.write("a")
      #expect(try await client.readExactly(1) == Array("a".utf8))
      connection.close()
      client.close()
    }
  }

  @Test("A connection that comes amid the close ends, whether it was accepted or not", arguments: LoopKind.allCases)
  func amidTheClose(kind: LoopKind) async throws {
    try await kind.run { loop in
      for _ in 0..<20 {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        try await Self.abandon(listener)
        let number = try connectBlocking(to: listener.addresses[0])
        listener.close()
        try await Self.expectEnd(of: StreamConnection(number, core: loop))
      }
    }
  }
}

/// A reference that another thread releases.
private final class Held<Value: AnyObject & Sendable>: Sendable {
  private struct State {
    var value: Value?
    weak var seen: Value?
  }

  private let state: Lock<State>

  init(_ value: Value) { state = Lock(State(value: value, seen: value)) }

  func drop() {
    let value = state.withLock { state in
      defer { state.value = nil }
      return state.value
    }
    _ = consume value
  }

  /// It was the last reference.
  var isGone: Bool { state.withLock { $0.seen == nil } }
}

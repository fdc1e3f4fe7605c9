import SystemPackage
import Testing

@testable import AsyncIO

/// A task whose calls never have to wait is cancelled all the same, by a limit of time and by hand, and others get in.
@Suite(.timeLimit(.minutes(5)))
struct FloodTests {
  /// What a task can do without end and without a wait.
  enum Flood: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case pingPong, write, read, readExactly, readLine, chunks, datagrams, socket, pipe, device, lock, queue, semaphore
    case event, names, sleep, future

    var testDescription: String { rawValue }
  }

  @Test("A limit of time ends a flood", arguments: LoopKind.allCases, Flood.allCases)
  func limit(kind: LoopKind, flood: Flood) async throws {
    try await kind.run { _ in
      _ = await #expect(throws: TimeoutError.self) { try await withTimeout(.milliseconds(5)) { try await flood.run() } }
    }
  }

  @Test(
    "A timer that cancels the task ends a flood, and callbacks run", arguments: LoopKind.allCases, Flood.allCases
  )
  func cancel(kind: LoopKind, flood: Flood) async throws {
    try await kind.run { loop in
      let task = try loop.createTask { try await flood.run() }
      let ticks = Counter()
      @Sendable func tick() {
        ticks.add(1)
        if ticks.value == 5 { task.cancel() } else { _ = try? loop.callLater(.microseconds(100), tick) }
      }
      tick()
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(ticks.value == 5)
    }
  }

  @Test("A flooded server ends with its task, in both forms", arguments: LoopKind.allCases, [false, true])
  func server(kind: LoopKind, isSynchronous: Bool) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let seen = Counter()
      let serving = try loop.createTask {
        try await listener.serve { connection in
          if isSynchronous {
            try await connection.serveChunks { _, _ in seen.add(1) }
          } else {
            try await connection.forEachChunk { _ in seen.add(1) }
          }
        }
      }
      let flooding = try await StreamConnection.connect(to: listener.addresses[0])
      let flood = try loop.createTask {
        let bytes = [UInt8](repeating: 7, count: 64 * 1024)
        while true { try await flooding.write(bytes) }
      }
      try await turnUntil { seen.value > 100 }
      serving.cancel()
      await #expect(throws: CancellationError.self) { try await serving.get() }
      // Its peer has gone.
      _ = try await failure(IOError.self) { try await flood.get() }
      flooding.close()
      listener.close()
    }
  }

  @Test("A handler ends even if other code than its server cancels it", arguments: LoopKind.allCases, Handler.allCases)
  func handler(kind: LoopKind, handler: Handler) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let ended = Recorder<String>()
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { _, context in reports.record(context) }
      let waiting = Recorder<(StreamConnection, CancellableHandler)>()
      let serving = try loopTask {
        try await listener.serve { connection in
          let task = withUnsafeCurrentTask { CancellableHandler(task: $0!) }
          waiting.record((connection, task))
          do { try await handler.run(connection) } catch {
            ended.record("\(type(of: error))")
            throw error
          }
        }
      }
      for isForeign in [false, true] {
        let client = try await StreamConnection.connect(to: listener.addresses[0])
        try await turnUntil { waiting.all.last?.0.isReading == true }
        let task = waiting.all.last!.1
        if isForeign { try await inThread { task.cancel() } } else { task.cancel() }
        #expect(try await client.read(upTo: 1) == [], "the server closes the connection behind its handler")
        client.close()
        try await turnUntil { ended.all.count == (isForeign ? 2 : 1) }
      }
      #expect(ended.all == ["CancellationError", "CancellationError"])
      #expect(reports.all.map(\.message) == [], "nobody is told of what somebody wanted")
      listener.close()
      try await serving.value
    }
  }

  /// What the handler of a connection waits with.
  enum Handler: String, CaseIterable, Sendable {
    case read, chunks, synchronousChunks

    func run(_ connection: StreamConnection) async throws {
      switch self {
      case .read: _ = try await connection.read(upTo: 1)
      case .chunks: try await connection.forEachChunk { _ in }
      case .synchronousChunks: try await connection.serveChunks { _, _ in }
      }
    }
  }
}

/// The task of a handler, from which others cancel it. Right because it is used only while the handler waits.
private struct CancellableHandler: @unchecked Sendable {
  let task: UnsafeCurrentTask
  func cancel() { task.cancel() }
}

extension FloodTests.Flood {
  /// For ever.
  func run() async throws {
    switch self {
    case .pingPong, .write, .read, .readExactly, .readLine, .chunks: try await runStreams()
    case .datagrams, .socket, .pipe, .device: try await runDescriptors()
    case .lock, .queue, .semaphore, .event: try await runLocks()
    case .names:
      let loop = try getRunningLoop()
      while true { _ = try await loop.getaddrinfo(host: "127.0.0.1", port: 1) }
    case .sleep: while true { try await AsyncIO.sleep(for: .zero) }
    case .future:
      let future: Future<Int> = try getRunningLoop().createFuture()
      try future.setResult(1)
      while true { _ = try await future.get() }
    }
  }

  private func runStreams() async throws {
    let pair = try await StreamPair.make()
    defer { pair.close() }
    if self == .pingPong {
      while true {
        try await pair.near.write("ping")
        _ = try await pair.far.readExactly(4)
        try await pair.far.write("pong")
        _ = try await pair.near.readExactly(4)
      }
    }
    let line = [UInt8](repeating: 10, count: 16 * 1024)
    let loop = try getRunningLoop()
    let other = try loop.createTask {
      if self == .write {
        try await pair.far.forEachChunk { _ in }
      } else {
        while true { try await pair.far.write(line) }
      }
    }
    defer { other.cancel() }
    while true {
      switch self {
      case .write: try await pair.near.write("x")
      case .read: _ = try await pair.near.read(upTo: 16)
      case .readExactly: _ = try await pair.near.readExactly(2)
      case .readLine: _ = try await pair.near.readLine()
      default: try await pair.near.forEachChunk { _ in }
      }
    }
  }

  private func runDescriptors() async throws {
    switch self {
    case .datagrams:
      let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      defer { endpoint.close() }
      while true {
        try await endpoint.send([1], to: endpoint.localAddress!)
        _ = try await endpoint.receive()
      }
    case .socket:
      let endpoint = try Socket(family: .ipv4, type: .datagram)
      defer { endpoint.close() }
      try endpoint.bind(to: SocketAddress(ipLiteral: "127.0.0.1", port: 0)!)
      try await endpoint.connect(to: endpoint.localAddress!)
      while true {
        try await endpoint.sendAll([1])
        _ = try await endpoint.receive(upTo: 1)
      }
    case .pipe:
      let pipe = try PipePair.make()
      defer { pipe.close() }
      while true {
        try await pipe.writer.write("line\n")
        _ = try await pipe.reader.readLine()
      }
    default:
      let reader = try PipeReader(owning: FileDescriptor.open("/dev/zero", .readOnly).rawValue)
      defer { reader.close() }
      while true { _ = try await reader.read(upTo: 1) }
    }
  }

  private func runLocks() async throws {
    let (lock, queue, semaphore, event) = (AsyncLock(), Queue<Int>(), try Semaphore(1), Event())
    event.set()
    while true {
      switch self {
      case .lock: try await lock.withLock {}
      case .queue:
        try await queue.put(1)
        _ = try await queue.get()
      case .semaphore: try await semaphore.withPermit {}
      default: try await event.wait()
      }
    }
  }
}

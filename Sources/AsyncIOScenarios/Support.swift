internal import AsyncIO
internal import AsyncIOSimulation
internal import SystemPackage

// What scenarios have in common.

extension SimulationWorld {
  /// Make an error that no caller was given fail the scenario, unless bad weather explains it: nothing that goes wrong
  /// in a program of the project may end in a log.
  func refuseReports() throws {
    let loop = try getRunningLoop()
    loop.exceptionHandler = { [unowned self] _, context in
      if context.exception?.isWeather != true { fail("nobody was told of this: \(context)") }
    }
  }

  /// Bytes by chance.
  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) } }

  /// A duration by chance, mostly short.
  func pause(around mean: Duration) async throws { try await sleep(for: random.around(mean)) }

  /// Run the body, and perhaps cancel it after a while, which throws ``TimeoutError``.
  func briefly<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    let limit = random.chance(0.5) ? random.around(.microseconds(400)) : .seconds(3600)
    return try await withTimeout(limit) { try await body() }
  }

  /// Try until the weather lets it happen.
  func persistently<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    while true {
      do { return try await body() } catch  where error.isWeather {}
      try await sleep(for: .milliseconds(10))
    }
  }

  /// Try until a listener is there, and the network lets the connection through.
  func untilConnected(_ connect: () async throws -> StreamConnection) async throws -> StreamConnection {
    try await persistently(connect)
  }

  /// Write in pieces of a random length, with a pause, or something else, after each.
  func write(
    _ bytes: [UInt8], inPiecesOf longest: Int, on connection: StreamConnection,
    after pause: () async throws -> Void = {}
  ) async throws {
    var sent = 0
    while sent < bytes.count {
      let end = min(bytes.count, sent + 1 + random.below(longest))
      try await connection.write(Array(bytes[sent..<end]))
      sent = end
      try await pause()
    }
  }

  /// Listen at a port of this host, as soon as that is possible.
  func listen(on host: String, _ port: UInt16) async throws -> StreamListener {
    try await persistently { try await StreamListener.bind(host: host, port: port) }
  }

  /// Let the weather rage for a while, heal the world, and wait for what was started: from then on it has to get to its
  /// end within five minutes.
  func storm(_ tasks: [LoopTask<Void>], for length: Duration = .seconds(2)) async throws {
    let timer = try getRunningLoop().callLater(length) { [self] in heal() }
    defer {
      timer.cancel()
      heal()
    }
    do {
      try await withTimeout(length + .seconds(300)) {
        for task in tasks { try await task.get() }
      }
    } catch let error as TimeoutError {
      try require(false, "a client got no further after the world was healed: \(error)")
    }
  }

  /// Start a task on a host, which bears the host's name.
  func task(on host: String, _ body: @escaping @Sendable () async throws -> Void) throws -> LoopTask<Void> {
    let machine = self.host(host)
    return try getRunningLoop().createTask(name: host) { try await machine.run { try await body() } }
  }
}

/// The stream has ended where an answer should be.
struct EarlyEnd: Error {}

extension Error {
  /// True for what a client on a bad network lives with, and tries again.
  var isWeather: Bool {
    switch self {
    case let error as IOError: Self.losses.contains(error.errno)
    case let error as ConnectError: error.attempts.allSatisfy(\.isWeather)
    // A connection that was lost in the handshake, or without a goodbye.
    case let error as TLSError: error.code == .truncated || error.code == .timedOut
    case is ResolutionError, is IncompleteReadError, is TimeoutError, is EarlyEnd: true
    default: false
    }
  }

  private static var losses: Set<Errno> {
    [
      .connectionReset, .brokenPipe, .connectionAbort, .timedOut, .connectionRefused, .tooManyOpenFiles, .networkDown,
      .networkUnreachable, .noRouteToHost,
    ]
  }
}

/// Numbers that several tasks of a world count with. In the loop's thread, which is what makes the unchecked
/// conformance right.
final class Counter: @unchecked Sendable {
  var value = 0
  /// The greatest value that it ever had.
  private(set) var peak = 0

  func add(_ number: Int = 1) {
    value += number
    peak = max(peak, value)
  }
}

/// What was written down, in its order. In the loop's thread, which is what makes the unchecked conformance right.
final class Ledger<Entry>: @unchecked Sendable {
  var entries: [Entry] = []
}

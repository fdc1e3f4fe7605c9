import AsyncIOConformance
import POSIX
import Synchronization
import Testing

@testable import AsyncIO

/// Two ends of one TCP connection over the loopback.
struct StreamPair: Sendable {
  let near: StreamConnection
  let far: StreamConnection

  /// Both ends on the running loop.
  static func make() async throws -> StreamPair {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    defer { listener.close() }
    return try await make(on: listener)
  }

  static func make(on listener: StreamListener) async throws -> StreamPair {
    async let accepted = listener.accept()
    let near = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    let pair = StreamPair(near: near, far: try await accepted)
    if protectsAll { try await pair.protect() }
    return pair
  }

  /// True if every pair is to be protected: `ASYNCIO_TEST_TLS=1` runs the tests of streams over TLS.
  static let protectsAll = getenv("ASYNCIO_TEST_TLS") != nil

  /// Protect both ends, as client and server.
  func protect(
    client: TLSConfiguration? = nil, server: TLSConfiguration? = nil, serverHostname: String? = "localhost",
    limits: TLSLimits = .standard
  ) async throws {
    let (clientContext, serverContext) = try (
      TLSContext(client ?? TLSSessionTests.client()), TLSContext(server ?? TLSSessionTests.server())
    )
    async let accepted: Void = far.startTLS(serverContext, limits: limits)
    try await near.startTLS(clientContext, serverHostname: serverHostname, limits: limits)
    try await accepted
  }

  func close() {
    near.close()
    far.close()
  }
}

extension LoopKind {
  /// Run the body as a task on a new loop with the two ends of a connection, then close everything.
  func withPair<R: Sendable>(
    _ body: @escaping @Sendable (_ near: StreamConnection, _ far: StreamConnection) async throws -> R
  ) async throws -> R {
    try await run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      return try await body(pair.near, pair.far)
    }
  }
}

/// Let the running loop turn until the condition holds; a number of turns is the limit, not a time.
func turnUntil(
  turns: Int = 1_000_000, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) async throws {
  for _ in 0..<turns {
    if condition() { return }
    try await sleep(for: .microseconds(50))
  }
  Issue.record("the condition never held", sourceLocation: sourceLocation)
}

extension StreamConnection {
  /// A read waits, in the backend or in the layer above it.
  var isReading: Bool {
    if let link = descriptor.layer as? TLSLink { return link.reader != nil }
    return descriptor.reading != nil || descriptor.stream?.pointee.reading != nil
  }
  /// A write waits, in the backend or in the layer above it.
  var isWriting: Bool {
    if let link = descriptor.layer as? TLSLink { return link.writer != nil }
    return descriptor.writing != nil || descriptor.stream?.pointee.writing != nil
  }
}

extension Socket {
  /// A receive waits in the backend.
  var isReceiving: Bool { descriptor.reading != nil || descriptor.stream?.pointee.reading != nil }
}

/// Bytes whose values follow from their positions, so that loss, doubling and disorder all show.
func numbered(_ range: Range<Int>) -> [UInt8] { AsyncIOConformance.numbered(range) }

/// Start a task on the loop of the connection: a plain `Task { }` would run in the pool.
@discardableResult
func loopTask<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) throws -> Task<R, any Error> {
  Task(executorPreference: try getRunningLoop().taskExecutor, operation: body)
}

/// What the call throws, as the expected type.
func failure<E: Error>(
  _: E.Type, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async throws -> E {
  do {
    try await body()
  } catch {
    return try #require(error as? E, "\(type(of: error)): \(error)", sourceLocation: sourceLocation)
  }
  throw NothingThrown()
}

struct NothingThrown: Error {}

/// Set once, seen by every thread.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
  func set() { value.store(true, ordering: .sequentiallyConsistent) }
}

/// Counts from any thread.
final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .sequentiallyConsistent) }
  func add(_ number: Int) { count.add(number, ordering: .sequentiallyConsistent) }
}

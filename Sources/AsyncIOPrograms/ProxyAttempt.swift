internal import AsyncIO

// The time in which a client waits for the target. The traps:
//
// - The client is there already. It sends, and it may leave, which is noticed only by reading from it. So what it sends
//   is read, up to a bound, and goes to the target first.
// - The end of a TCP stream does not say whether the client still reads. `printf x | nc -N` ends its stream at once and
//   waits for an answer; a client that was closed looks the same. So an end gives the attempt a moment more, and no
//   longer: a client that was closed must not keep its place until the system gives the target up.
// - Most targets answer at once. So the client is left alone for a moment first, which spares it a wait that is
//   cancelled.

/// One attempt to reach the target for a client. Loop thread only; that is what makes the unchecked conformance right.
final class ProxyAttempt: @unchecked Sendable {
  enum Outcome: Sendable {
    case connected(StreamConnection)
    case failed(any Error)
    /// The time for connecting is over.
    case late(Duration)
    /// No byte has come from the client for too long.
    case idle
    /// The client has gone.
    case left
    /// No longer of interest.
    case dismissed
  }

  /// What the client has said so far.
  private(set) var early: [UInt8] = []
  private let client: StreamConnection
  private let options: Proxy.Options
  private let loop: any EventLoop
  private let start: EventLoopInstant
  private var last: EventLoopInstant

  /// How many of a client's bytes are kept; the rest stays with the system.
  private static var room: Int { 64 * 1024 }
  /// How long the client is left alone.
  private static var patience: Duration { .milliseconds(50) }
  /// How often a client that has filled its room is looked at.
  private static var interval: Duration { .milliseconds(200) }

  init(_ client: StreamConnection, _ options: Proxy.Options, _ loop: any EventLoop) {
    (self.client, self.options, self.loop) = (client, options, loop)
    start = loop.time()
    last = start
  }

  /// Try until one of the outcomes is there. A connection that comes too late is closed.
  func run(_ target: @escaping @Sendable () async throws -> StreamConnection) async -> Outcome {
    await withTaskGroup(of: Outcome.self) { group in
      group.addTask { await Self.connect(target) }
      group.addTask { await self.watchClient() }
      group.addTask { await self.watchTime() }
      var outcome = Outcome.dismissed
      while case .dismissed = outcome, let next = await group.next() { outcome = next }
      group.cancelAll()
      while let late = await group.next() {
        if case .connected(let connection) = late { connection.close() }
      }
      return outcome
    }
  }

  private static func connect(_ target: @Sendable () async throws -> StreamConnection) async -> Outcome {
    do { return .connected(try await target()) } catch { return .failed(error) }
  }

  /// Watch the client. Ends when it has gone, or is dismissed.
  private func watchClient() async -> Outcome {
    do {
      try await sleep(for: Self.patience)
      while early.count < Self.room {
        let bytes = try await client.read(upTo: Self.room - early.count)
        last = loop.time()
        early += bytes
        if bytes.isEmpty {
          try await sleep(for: early.isEmpty ? .milliseconds(250) : .seconds(1))
          return .left
        }
      }
      // A reset can be seen without reading on.
      while client.peerAddress != nil { try await sleep(for: Self.interval) }
      return .left
    } catch is CancellationError {
      return .dismissed
    } catch {
      return .left
    }
  }

  /// Watch the time. Ends when the attempt has taken too long, or nothing has moved for too long.
  private func watchTime() async -> Outcome {
    do {
      while true {
        let now = loop.time()
        let late = options.connectTimeout.map { start.advanced(by: $0) } ?? .distantFuture
        let idle = options.idleTimeout.map { last.advanced(by: $0) } ?? .distantFuture
        if late <= now, let limit = options.connectTimeout { return .late(limit) }
        if idle <= now { return .idle }
        try await sleep(until: min(late, idle))
      }
    } catch {
      return .dismissed
    }
  }
}

package import AsyncIO

/// What the proxy does with a connection.
package struct Proxy: Sendable {
  /// Connects to where it forwards to.
  private let target: @Sendable () async throws -> StreamConnection
  /// After so long without a byte in either direction a connection is cut; nil is never.
  private let idleTimeout: Duration?

  package init(idleTimeout: Duration?, to target: @escaping @Sendable () async throws -> StreamConnection) {
    (self.idleTimeout, self.target) = (idleTimeout, target)
  }

  /// Connects to the target and forwards both directions until both have ended or one has failed.
  package func forward(_ client: StreamConnection) async throws {
    let upstream: StreamConnection
    do {
      upstream = try await target()
    } catch {
      client.abort()
      throw error
    }
    defer { upstream.close() }
    let watch = try idleTimeout.map { try IdleWatch($0, client, upstream) }
    defer { watch?.stop() }
    async let up: Void = pump(client, to: upstream, watch)
    do {
      try await pump(upstream, to: client, watch)
      try await up
    } catch let error as IOError {
      // The loss of a connection is a proxy's daily bread: it was passed on.
      _ = error
    }
  }

  /// One direction. A failure cuts both connections, which ends the other direction too.
  private func pump(_ from: StreamConnection, to: StreamConnection, _ watch: IdleWatch?) async throws {
    do {
      try await from.forEachChunk { bytes in
        watch?.touch()
        try await to.write(bytes)
        watch?.touch()
      }
      try to.writeEOF()
    } catch {
      from.abort()
      to.abort()
      throw error
    }
  }
}

/// Cuts two connections when no byte has passed for a while. One timer a connection, which looks at a time stamp: a
/// message costs a store, not a timer. Loop thread only; that is what makes the unchecked conformance right.
final class IdleWatch: @unchecked Sendable {
  private let limit: Duration
  private let loop: any EventLoop
  private let connections: [StreamConnection]
  private var last: EventLoopInstant
  private var timer: TimerHandle?

  init(_ limit: Duration, _ connections: StreamConnection...) throws {
    self.limit = limit
    self.connections = connections
    loop = try getRunningLoop()
    last = loop.time()
    arm()
  }

  func touch() { last = loop.time() }

  func stop() { timer?.cancel() }

  private func arm() {
    timer = try? loop.callAt(last.advanced(by: limit)) { [weak self] in self?.check() }
  }

  private func check() {
    if last.advanced(by: limit) > loop.time() { return arm() }
    for connection in connections { connection.abort() }
  }
}

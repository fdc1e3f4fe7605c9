internal import AsyncIO

// Two connections, and what goes from each to the other. How it ends:
//
// - Both streams end: both connections are closed, and the system delivers what it has.
// - One is lost: the loss is passed on, by a reset. A stream that lacks its rest must not look whole.
// - It is cut, because it was idle or the proxy ends: nothing that was written is thrown away. A side that has been
//   told everything is closed, and so is one for which the system still has bytes. A side is reset if it is owed bytes
//   that the proxy holds, or if it has everything so far and its stream has not ended.

/// The two directions of a client's connection. Loop thread only; that is what makes the unchecked conformance right.
final class ProxyExchange: @unchecked Sendable {
  /// The flow to one side.
  private struct Direction {
    /// True if bytes were received that the system has not taken yet.
    var hasInHand = false
    /// True if everything was passed on, including the end.
    var hasEnded = false
  }

  private enum Ending { case lost, cut }

  private let client: StreamConnection
  private let upstream: StreamConnection
  private let figures: ProxyFigures
  private let idleTimeout: Duration?
  private var toUpstream = Direction()
  private var toClient = Direction()
  private var watch: IdleWatch?
  private var isOver = false

  private typealias Path = ReferenceWritableKeyPath<ProxyExchange, Direction>

  init(_ client: StreamConnection, _ upstream: StreamConnection, _ idleTimeout: Duration?, _ figures: ProxyFigures) {
    (self.client, self.upstream, self.figures) = (client, upstream, figures)
    self.idleTimeout = idleTimeout
  }

  /// Forward until both directions have ended, one is lost, or the exchange is cut. `header` goes to the target first,
  /// then what the client has said `early`.
  func run(header: [UInt8], early: [UInt8]) async throws {
    watch = try idleTimeout.map { limit in
      try IdleWatch(limit, [client, upstream]) { [unowned self] in
        figures.add(.cut)
        end(.cut)
      }
    }
    // This also ends what the watch's closure refers to.
    defer { watch?.stop() }
    async let up: Void = pass(from: client, to: upstream, \.toUpstream, .toTarget, header: header, early: early)
    do {
      try await pass(from: upstream, to: client, \.toClient, .toClients)
      try await up
    } catch  where Self.isLoss(error) {}
  }

  /// Pass one direction on. A failure ends both.
  private func pass(
    from: StreamConnection, to: StreamConnection, _ direction: Path, _ figure: ProxyFigures.Figure,
    header: [UInt8] = [], early: [UInt8] = []
  ) async throws {
    let step = to.peerAddress?.isUnix == true && watch != nil ? Self.unixStep : .max
    do {
      if !header.isEmpty { try await write(header.span.bytes, to: to, direction, step) }
      if !early.isEmpty {
        try await write(early.span.bytes, to: to, direction, step)
        figures.add(figure, early.count)
      }
      try await from.forEachChunk { bytes in
        try await write(bytes, to: to, direction, step)
        figures.add(figure, bytes.byteCount)
      }
      try to.writeEOF()
      self[keyPath: direction].hasEnded = true
    } catch {
      if !isOver, Self.isLoss(error) { figures.add(.lost) }
      end(Self.isLoss(error) ? .lost : .cut)
      throw error
    }
  }

  /// True for the end of a connection, and for the end of its protection: without a goodbye, or by a record that was
  /// changed. Both mean that bytes may be missing.
  private static func isLoss(_ error: any Error) -> Bool { error is IOError || error is TLSError }

  /// A Unix socket counts what its reader has not fetched in whole buffers. Small ones show that a slow reader reads.
  private static var unixStep: Int { 8 * 1024 }

  private func write(_ bytes: RawSpan, to: StreamConnection, _ direction: Path, _ step: Int) async throws {
    self[keyPath: direction].hasInHand = true
    watch?.touch()
    if bytes.byteCount <= step {
      try await to.write(bytes)
    } else {
      var done = 0
      while done < bytes.byteCount {
        let next = min(step, bytes.byteCount - done)
        try await to.write(bytes.extracting(done..<done + next))
        watch?.touch()
        done += next
      }
    }
    watch?.touch()
    self[keyPath: direction].hasInHand = false
  }

  private func end(_ ending: Ending) {
    guard !isOver else { return }
    isOver = true
    end(client, toClient, ending)
    end(upstream, toUpstream, ending)
  }

  private func end(_ side: StreamConnection, _ direction: Direction, _ ending: Ending) {
    let isDelivering = ending == .cut && !direction.hasInHand && side.sendProgress.undelivered > 0
    if direction.hasEnded || isDelivering { side.close() } else { side.abort() }
  }
}

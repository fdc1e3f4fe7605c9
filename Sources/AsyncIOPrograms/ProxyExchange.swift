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
  private final class Direction: ForwardingObserver {
    /// True if bytes were received that the system has not taken yet.
    private(set) var hasInHand = false
    /// True if everything was passed on, including the end.
    var hasEnded = false
    var watch: IdleWatch?
    private let figures: ProxyFigures
    private let figure: ProxyFigures.Figure

    init(_ figures: ProxyFigures, _ figure: ProxyFigures.Figure) { (self.figures, self.figure) = (figures, figure) }

    func forwardingTook() {
      hasInHand = true
      watch?.touch()
    }

    func forwardingPassedOn(_ count: Int, inHand: Bool) {
      watch?.touch()
      hasInHand = inHand
      figures.add(figure, count)
    }
  }

  private enum Ending { case lost, cut }

  private let client: StreamConnection
  private let upstream: StreamConnection
  private let figures: ProxyFigures
  private let idleTimeout: Duration?
  private let toUpstream: Direction
  private let toClient: Direction
  private var isOver = false

  init(_ client: StreamConnection, _ upstream: StreamConnection, _ idleTimeout: Duration?, _ figures: ProxyFigures) {
    (self.client, self.upstream, self.figures) = (client, upstream, figures)
    self.idleTimeout = idleTimeout
    (toUpstream, toClient) = (Direction(figures, .toTarget), Direction(figures, .toClients))
  }

  /// Forward until both directions have ended, one is lost, or the exchange is cut. `header` goes to the target first,
  /// then what the client has said `early`.
  func run(header: [UInt8], early: [UInt8]) async throws {
    let watch = try idleTimeout.map { limit in
      try IdleWatch(limit, [client, upstream]) { [unowned self] in
        figures.add(.cut)
        end(.cut)
      }
    }
    // This also ends what the watch's closure refers to.
    defer { watch?.stop() }
    (toUpstream.watch, toClient.watch) = (watch, watch)
    // What the client has said already goes with what it says next.
    if !early.isEmpty { try client.putBack(early) }
    async let up: Void = pass(from: client, to: upstream, toUpstream, header: header)
    do {
      try await pass(from: upstream, to: client, toClient)
      try await up
    } catch  where Self.isLoss(error) {}
  }

  /// Pass one direction on. A failure ends both.
  private func pass(
    from: StreamConnection, to: StreamConnection, _ direction: Direction, header: [UInt8] = []
  ) async throws {
    do {
      if !header.isEmpty {
        direction.forwardingTook()
        try await to.write(header.span.bytes)
        direction.forwardingPassedOn(0, inHand: false)
      }
      let isUnix = to.peerAddress?.isUnix == true
      try await from.forward(to: to, piece: isUnix && direction.watch != nil ? Self.unixStep : .max, direction)
      try to.writeEOF()
      direction.hasEnded = true
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

#if Metrics
  internal import AsyncIO
  internal import Metrics

  /// Makes of the numbers of a loop what its meters are told: of what grows, the growth.
  struct LoopSampler: Sendable {
    let meters: LoopMeters
    private var last = LoopFigures()

    init(_ meters: LoopMeters) { self.meters = meters }

    /// Report a sample.
    ///
    /// - Parameter lag: how much later than it should the loop came to it.
    mutating func take(_ figures: LoopFigures, lag: Duration) {
      meters.lag.recordNanoseconds(lag.nanoseconds)
      Self.report(figures.turns, since: last.turns, to: meters.turns)
      Self.report(UInt64(figures.entries), since: UInt64(last.entries), to: meters.entries)
      meters.ready.record(figures.ready)
      meters.timers.record(figures.timers)
      meters.tasks.record(figures.tasks)
      meters.connections.record(figures.connections)
      meters.pausedListeners.record(figures.waitingListeners)
      Self.report(figures.accepts, since: last.accepts, to: meters.accepts)
      Self.report(figures.acceptFailures, since: last.acceptFailures, to: meters.acceptFailures)
      Self.report(figures.acceptPauses, since: last.acceptPauses, to: meters.acceptPauses)
      if let bytes = figures.bytes {
        Self.report(bytes.received, since: last.bytes?.received ?? 0, to: meters.received)
        Self.report(bytes.sent, since: last.bytes?.sent ?? 0, to: meters.sent)
      }
      meters.poolQueue.record(figures.pool?.queued ?? 0)
      meters.poolThreads.record(figures.pool?.threads ?? 0)
      meters.poolIdleThreads.record(figures.pool?.idle ?? 0)
      meters.descriptors.record(ProcessFigures.descriptors)
      meters.children.record(ProcessFigures.children)
      let bytes = Self.latest(figures.bytes, last.bytes)
      last = figures
      last.bytes = bytes
    }

    /// Report the length of a turn.
    func takeTurn(_ length: Duration) { meters.turnDuration.recordNanoseconds(length.nanoseconds) }

    /// Report growth. A sum that a connection has left without being asked is smaller than before; that does not count.
    private static func report(_ now: UInt64, since before: UInt64, to counter: Counter) {
      if now > before { counter.increment(by: Int64(clamping: now - before)) }
    }

    /// What the next growth is measured from.
    private static func latest(_ now: TransferredBytes?, _ before: TransferredBytes?) -> TransferredBytes? {
      guard let now, let before else { return now ?? before }
      var latest = TransferredBytes()
      (latest.received, latest.sent) = (max(now.received, before.received), max(now.sent, before.sent))
      return latest
    }
  }

  extension Duration {
    /// The duration in nanoseconds, at least 0 and at most what an Int64 holds.
    fileprivate var nanoseconds: Int64 {
      let (seconds, attoseconds) = components
      let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
      if overflow { return seconds < 0 ? 0 : .max }
      return max(0, whole.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue)
    }
  }
#endif

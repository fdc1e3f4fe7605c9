/// What an interval does when its loop comes back late, after the next time had passed. Answers tokio's
/// `MissedTickBehavior`.
public enum MissedTicks: Hashable, Sendable {
  /// The times that were missed are left out; the next one is a whole number of periods from the first.
  case skip
  /// The times that were missed follow each other without a pause.
  case catchUp
  /// The next time is a period from now, and so are those after it from that one.
  case delay
}

/// Return a sequence of times on the running loop's clock, a period apart: each step waits for its time, and gives it.
/// Answers tokio's `interval`.
///
/// ```swift
/// for try await _ in try interval(every: .seconds(10)) { try await report() }
/// ```
/// The times do not drift, however long the work in between takes: they are those that were planned, and not those at
/// which the loop got round to them. A time that has passed is given at once, late; `missed` says what comes after it.
///
/// A step throws `CancellationError` in a cancelled task, and its time is then the next one's. It throws code
/// `noRunningLoop` outside of a loop's thread. Each iteration has times of its own.
///
/// - Parameters:
///   - period: the time between two steps.
///   - start: the first time; the moment of the first step if it is nil.
///   - missed: what follows a time that was late because the loop came back after the next one.
/// - Throws: code `invalidArgument` for a period that is zero or negative.
public func interval(
  every period: Duration, from start: EventLoopInstant? = nil, missed: MissedTicks = .skip
) throws(EventLoopError) -> some AsyncSequence<EventLoopInstant, any Error> & Sendable {
  guard period > .zero else {
    throw EventLoopError(.invalidArgument, "interval: the period is \(period). Give more than zero.")
  }
  return Ticks(plan: TickPlan(period: period.saturatedNanoseconds, missed: missed, next: start))
}

private struct Ticks: AsyncSequence, Sendable {
  let plan: TickPlan

  struct AsyncIterator: AsyncIteratorProtocol {
    var plan: TickPlan

    mutating func next() async throws -> EventLoopInstant? {
      let core = try runningCore("interval")
      let now = core.time()
      let due = plan.next ?? now
      try await core.sleep(until: due)
      plan.pass(due, askedAt: now)
      return due
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(plan: plan) }
}

/// When the next step of an interval is due.
struct TickPlan: Sendable {
  /// In nanoseconds, at least one.
  let period: Int64
  let missed: MissedTicks
  /// Nil before the first step.
  var next: EventLoopInstant?

  /// Plan the step after one that was due, and that was asked for at a time.
  mutating func pass(_ due: EventLoopInstant, askedAt now: EventLoopInstant) {
    next =
      switch missed {
      case .skip where now > due:
        // The first one of the plan that is still to come.
        due.advanced(byNanoseconds: due.duration(to: now).saturatedNanoseconds / period * period)
          .advanced(byNanoseconds: period)
      case .delay where now > due: now.advanced(byNanoseconds: period)
      case .skip, .catchUp, .delay: due.advanced(byNanoseconds: period)
      }
  }
}

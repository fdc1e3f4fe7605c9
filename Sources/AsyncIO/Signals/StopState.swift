// How far a graceful stop has come, as a value: its methods return what is to be done. The traps:
//
// - A request may come twice: by a signal and by code, by two listeners that close, by two signals that the system has
//   merged into one. So a request is repeated without harm, and only a signal after the request means "at once".
// - Who is cancelled is noted before it is cancelled: a cancelled task may end, and say so, inside of that call.
// - What ends by itself between the limit and its own cancellation is in the list all the same. It had its time.

/// A thing that a stop cancels if it does not end in time.
struct StopEntry: Sendable {
  let id: ObjectIdentifier
  let name: String
  var peer: SocketAddress?
}

struct StopState: Sendable {
  enum Phase: Sendable {
    case running, draining, cancelling
  }

  enum Action: Sendable {
    case none
    /// Take in nothing new, and begin to measure the time.
    case drain
    /// Cancel what has not ended.
    case cancel
  }

  private struct Straggler {
    /// The number of the member; its identity may be another's when it is gone.
    let owner: UInt64
    let entry: StopEntry
    var end: EventLoopInstant?
    var isWithdrawn = false
  }

  private(set) var phase = Phase.running
  /// When the stop was requested.
  private(set) var began: EventLoopInstant?
  private var signal: Int32?
  private var wasForced = false
  private var stragglers: [Straggler] = []
  /// The places of those that have not ended, in `stragglers`.
  private var places: [ObjectIdentifier: Int] = [:]

  /// Note a request. A repeated one does nothing.
  mutating func request(at now: EventLoopInstant, signal: Int32? = nil) -> Action {
    guard phase == .running else { return .none }
    (phase, began, self.signal) = (.draining, now, signal)
    return .drain
  }

  /// Note a signal: the first one is a request, and one after a request ends the time.
  mutating func note(signal: Int32, at now: EventLoopInstant) -> Action {
    phase == .running ? request(at: now, signal: signal) : force(at: now)
  }

  /// End the time, requested or not.
  mutating func force(at now: EventLoopInstant) -> Action {
    guard phase != .cancelling else { return .none }
    if phase == .running { began = now }
    (phase, wasForced) = (.cancelling, true)
    return .cancel
  }

  /// The time is over.
  mutating func limitReached() -> Action {
    guard phase == .draining else { return .none }
    phase = .cancelling
    return .cancel
  }

  /// Note what is about to be cancelled.
  mutating func willCancel(_ entries: [StopEntry], of owner: UInt64) {
    for entry in entries where places[entry.id] == nil {
      places[entry.id] = stragglers.count
      stragglers.append(Straggler(owner: owner, entry: entry))
    }
  }

  /// Note that something has ended, cancelled or not.
  mutating func ended(_ id: ObjectIdentifier, at now: EventLoopInstant) {
    if let place = places.removeValue(forKey: id) { stragglers[place].end = now }
  }

  /// Note that something has ended as it should, in spite of its cancellation: it does not belong in a report.
  mutating func withdraw(_ id: ObjectIdentifier) {
    if let place = places.removeValue(forKey: id) { stragglers[place].isWithdrawn = true }
  }

  /// The names of what was cancelled and has not ended.
  var stillRunning: [String] { stragglers.filter { $0.end == nil && !$0.isWithdrawn }.map(\.entry.name) }

  /// Report what has happened, to one owner or to all.
  func report(at now: EventLoopInstant, of owner: UInt64? = nil) -> DrainReport {
    let start = began ?? now
    return DrainReport(
      wasRequested: began != nil, signal: signal, duration: start.duration(to: now), wasForced: wasForced,
      unfinished: stragglers.filter { !$0.isWithdrawn && (owner == nil || $0.owner == owner) }.map {
        DrainReport.Unfinished(
          name: $0.entry.name, peer: $0.entry.peer, duration: start.duration(to: $0.end ?? now))
      })
  }
}

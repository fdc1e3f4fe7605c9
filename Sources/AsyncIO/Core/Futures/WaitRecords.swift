internal import CAsyncIO
internal import Logging

// What tasks wait for, noted by the waits themselves while somebody may ask (``Observation/keepsOrigins``), and what
// debug mode makes of it: tasks that wait for each other will not go on, and are reported as soon as the last of them
// begins to wait. The traps:
//
// - Tasks of any thread wait, so a chain that is followed may change under the follower. It is followed a second time,
//   and counts if every wait in it is still the same one: a true circle stands still.
// - The lock of the records is the innermost one: nothing is asked of a wait's object while it is held.
// - A wait with a time limit ends by itself. So the report says who waits for whom, and ends nothing.

/// Something that tasks wait for. Any thread.
package protocol WaitPoint: AnyObject, Sendable {
  /// What it is, inside a sentence: "a lock", "Task-7".
  var waitName: String { get }
  /// Where it was made, if that is known.
  var waitPlace: CallSite? { get }
  /// The Swift tasks that all have to go on before the wait can end; empty if that is not known.
  var holders: [UInt] { get }
}

extension WaitPoint {
  /// What it is and where it was made, inside a sentence.
  package var waitText: String { waitPlace.map { "\(waitName) made at \($0)" } ?? waitName }
}

/// One task's wait.
package struct WaitRecord: Sendable {
  package let number: UInt64
  package let point: any WaitPoint
  package let place: CallSite?
  /// When it began, in monotonic nanoseconds.
  package let since: Int64
  /// Whose step it is that waits: the task, or a served connection.
  package let owner: (any StepOwner)?
  /// The number of the loop that runs the task; nil elsewhere.
  package let loop: Int?

  /// The task of the library whose body waits; nil for child tasks and plain ones.
  package var task: (any CancellableTask)? { owner?.task }
}

/// The waits of the process, by the Swift tasks that wait.
package final class WaitRecords: Sendable {
  package static let shared = WaitRecords()

  private struct State {
    var lastNumber: UInt64 = 0
    var records: [UInt: WaitRecord] = [:]
    /// The circles that were reported, by the waits that they are made of; the oldest first.
    var reported: [Set<UInt64>] = []
  }

  private let state = Lock(State())
  private static var mostReported: Int { 64 }
  /// How many waits are followed. Chains of tasks that wait may be as long as a program's data, and a circle is found
  /// in a few steps or never.
  private static var longestWay: Int { 100 }

  /// Note that the current task is about to wait. Returns nil outside of tasks, and while nothing is noted.
  @inline(__always)
  func begin(_ point: @autoclosure () -> (any WaitPoint)?, _ place: CallSite? = nil) -> UInt? {
    Observation.keepsOrigins ? note(point(), place) : nil
  }

  @inline(never)
  private func note(_ point: (any WaitPoint)?, _ place: CallSite?) -> UInt? {
    guard let point, let identity = LoopTaskRegistry.identity else { return nil }
    let owner = LoopTaskRegistry.shared.owner(of: identity)
    let (now, loop) = (MonotonicTime.now, LoopIntake.running?.core.number)
    state.withLock { state in
      state.lastNumber += 1
      state.records[identity] = WaitRecord(
        number: state.lastNumber, point: point, place: place, since: now, owner: owner, loop: loop)
    }
    return identity
  }

  /// Note that the wait has ended.
  @inline(__always)
  func end(_ identity: UInt?) {
    if let identity { remove(identity) }
  }

  @inline(never)
  private func remove(_ identity: UInt) {
    // Released outside of the lock.
    let record = state.withLock { $0.records.removeValue(forKey: identity) }
    _ = record
  }

  package func record(of identity: UInt) -> WaitRecord? { state.withLock { $0.records[identity] } }

  /// Some of the waits, all if there are fewer than `limit`. A copy of them: a reference to the whole would make the
  /// next wait copy it, in a loop's thread.
  package func some(_ limit: Int) -> [WaitRecord] { state.withLock { $0.records.values.prefix(limit).map(\.self) } }

  // MARK: Circles

  /// Report, once, that the wait which has just begun closes a circle. In debug mode.
  @inline(__always)
  func reportCircle(_ identity: UInt?) {
    if let identity { lookForCircle(identity) }
  }

  @inline(never)
  private func lookForCircle(_ identity: UInt) {
    guard let loop = LoopIntake.running?.core, loop.isDebug else { return }
    let circle = self.circle(from: identity)
    guard !circle.isEmpty, circle.map(\.record.number) == self.circle(from: identity).map(\.record.number) else {
      return
    }
    let isNew = state.withLock { state in
      let key = Set(circle.map(\.record.number))
      if state.reported.contains(key) { return false }
      if state.reported.count == Self.mostReported { state.reported.removeFirst() }
      state.reported.append(key)
      return true
    }
    guard isNew else { return }
    let links = circle.map { link in "\(Self.name(link)) waits for \(link.record.point.waitText)" }
    loop.logger.warning(
      """
      tasks wait for each other and will not go on by themselves: \(links.joined(separator: ", which is held by ")), \
      which is held by \(Self.name(circle[0])). Take locks in one order, and do not await a task that needs what you \
      hold.
      """)
  }

  private typealias Link = (identity: UInt, record: WaitRecord)

  private static func name(_ link: Link) -> String {
    link.record.owner?.reportName ?? "a task"
  }

  /// Return the waits on the way from a task back to itself; empty if there is no such way.
  private func circle(from start: UInt) -> [Link] {
    var cameFrom: [UInt: UInt] = [:]
    var seen: [UInt: WaitRecord] = [:]
    var left = [start]
    while let identity = left.popLast(), seen.count < Self.longestWay {
      guard seen[identity] == nil, let record = record(of: identity) else { continue }
      seen[identity] = record
      for holder in record.point.holders {
        if holder == start {
          var way: [Link] = [(identity, record)]
          while let last = way.last, last.identity != start, let before = cameFrom[last.identity] {
            way.append((before, seen[before]!))
          }
          return way.reversed()
        }
        if seen[holder] == nil {
          cameFrom[holder] = identity
          left.append(holder)
        }
      }
    }
    return []
  }
}

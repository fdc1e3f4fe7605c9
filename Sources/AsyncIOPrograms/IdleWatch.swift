internal import AsyncIO

// What is idle. The traps:
//
// - A byte moves when the peer takes it, not when a write of many ends. A slow reader of a large chunk keeps one write
//   waiting for minutes, and when all is written it may still take minutes to fetch it from the system.
// - The system lets a writer go on when a third of its buffer is free, so small writes do not show the movement either.
//   The number of bytes that the peer's system has not taken shows it; that costs a system call, and is asked for only
//   when something is under way and the time would otherwise be over.

/// Calls back once when no byte has moved on some connections for a while. One timer, which looks at a time stamp: a
/// message costs a store, not a timer. Loop thread only; that is what makes the unchecked conformance right.
final class IdleWatch: @unchecked Sendable {
  private struct Side {
    let connection: StreamConnection
    var progress = SendProgress()
  }

  private let limit: Duration
  private let loop: any EventLoop
  private var sides: [Side]
  private let onIdle: () -> Void
  private var last: EventLoopInstant
  private var timer: TimerHandle?

  /// Watch the connections. `onIdle` runs in a callback of the loop.
  init(_ limit: Duration, _ connections: [StreamConnection], _ onIdle: @escaping () -> Void) throws {
    (self.limit, self.onIdle) = (limit, onIdle)
    sides = connections.map { Side(connection: $0) }
    loop = try getRunningLoop()
    last = loop.time()
    arm(at: last.advanced(by: limit))
  }

  /// Note that something has moved.
  func touch() { last = loop.time() }

  func stop() { timer?.cancel() }

  private func arm(at when: EventLoopInstant) {
    timer = try? loop.callAt(when) { [weak self] in self?.check() }
  }

  private func check() {
    let now = loop.time()
    var isUnderWay = false
    for index in sides.indices {
      let progress = sides[index].connection.sendProgress
      if progress != SendProgress() { isUnderWay = true }
      guard progress != sides[index].progress else { continue }
      sides[index].progress = progress
      last = now
    }
    let end = last.advanced(by: limit)
    guard end > now else { return onIdle() }
    // An eighth of the limit: that is the most by which a cut comes late.
    arm(at: isUnderWay ? min(end, now.advanced(by: max(limit / 8, .milliseconds(1)))) : end)
  }
}

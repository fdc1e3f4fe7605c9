// Timers, by the million.
//
// - timer_cancel: sets 1,000,000 timers, 1 to 3600 seconds from now at random, cancels all in the order in which they
//   were set, and takes one turn more, so that what a loop puts off to the next turn is paid for.
// - timer_fire: sets 1,000,000 timers up to a second from now and waits until all have fired. The CPU counts: the wall
//   clock says a second and what the last ones took.
// - timer_rearm: of 10,000 timers one at random is set to 30 seconds from now, a thousand of them a turn: what a server
//   does with the time limit of a connection at every message.
//
// The clock is read once in a thousand, as loops do that read it once a turn. All of it happens in the loop's thread:
// elsewhere a timer would be posted to it.

import AsyncIO
import MicroSupport

private let setsPerClockReading = 1000

/// For the loop's thread alone, which is what makes the unchecked conformance right.
private final class Timers: @unchecked Sendable {
  private let loop: BaseEventLoop
  private var random = Random()
  private var handles: [TimerHandle] = []
  private var left = 0

  init(_ loop: BaseEventLoop) { self.loop = loop }

  /// Sets `count` timers, each so many nanoseconds from now, and gives every handle away.
  private func set(
    _ count: Int, after delay: (inout Random) -> Int, _ keep: (TimerHandle) -> Void = { _ in }
  ) throws {
    var now = loop.time()
    for index in 0..<count {
      if index % setsPerClockReading == 0 { now = loop.time() }
      let when = EventLoopInstant(nanoseconds: now.nanoseconds + Int64(delay(&random)))
      keep(try loop.callAt(when) { self.fired() })
    }
  }

  private func fired() {
    left -= 1
    if left == 0 { loop.stop() }
  }

  func setAndCancel(_ count: Int) throws {
    handles.reserveCapacity(count)
    try set(count, after: { $0.longMilliseconds() * 1_000_000 }, { handles.append($0) })
    for handle in handles { handle.cancel() }
    handles.removeAll(keepingCapacity: true)
    try loop.callSoon { self.loop.stop() }
  }

  func setAndFire(_ count: Int) throws {
    left = count
    try set(count, after: { $0.next(below: 1_000_000_000) })
  }

  private static let limit: Int64 = 30_000_000_000

  func setLive(_ count: Int) throws {
    handles.reserveCapacity(count)
    try set(count, after: { _ in Int(Self.limit) }, { handles.append($0) })
    loop.stop()
  }

  func rearm(_ count: Int) throws {
    left = count
    try rearmSome()
  }

  private func rearmSome() throws {
    let when = EventLoopInstant(nanoseconds: loop.time().nanoseconds + Self.limit)
    for _ in 0..<min(left, setsPerClockReading) {
      let index = random.next(below: handles.count)
      handles[index].cancel()
      handles[index] = try loop.callAt(when) { self.fired() }
    }
    left -= setsPerClockReading
    guard left > 0 else { return loop.stop() }
    try loop.callSoon { try self.rearmSome() }
  }
}

func cancelTimers(_ bench: Bench) throws {
  let timers = Timers(bench.loop)
  try bench.measure(warmUp: bench.count) { count in
    try bench.runLoop { try timers.setAndCancel(count) }
  }
}

func fireTimers(_ bench: Bench) throws {
  let timers = Timers(bench.loop)
  try bench.measure(warmUp: bench.count) { count in
    try bench.runLoop { try timers.setAndFire(count) }
  }
}

func rearmTimers(_ bench: Bench) throws {
  let timers = Timers(bench.loop)
  try bench.runLoop { try timers.setLive(10_000) }
  try bench.measure { count in
    try bench.runLoop { try timers.rearm(count) }
  }
}

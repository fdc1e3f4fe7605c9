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

  private func fired() {
    left -= 1
    if left == 0 { loop.stop() }
  }

  // What is used at every step is in local variables there: the compiler checks each access to those of an object.

  func setAndCancel(_ count: Int) throws {
    var random = random
    var handles: [TimerHandle] = []
    handles.reserveCapacity(count)
    var now = loop.time()
    for index in 0..<count {
      if index % setsPerClockReading == 0 { now = loop.time() }
      let delay = Int64(random.longMilliseconds()) * 1_000_000
      handles.append(try loop.callAt(EventLoopInstant(nanoseconds: now.nanoseconds + delay)) { self.fired() })
    }
    for handle in handles { handle.cancel() }
    self.random = random
    try loop.callSoon { self.loop.stop() }
  }

  func setAndFire(_ count: Int) throws {
    var random = random
    left = count
    var now = loop.time()
    for index in 0..<count {
      if index % setsPerClockReading == 0 { now = loop.time() }
      let delay = Int64(random.next(below: 1_000_000_000))
      try loop.callAt(EventLoopInstant(nanoseconds: now.nanoseconds + delay)) { self.fired() }
    }
    self.random = random
  }

  private static let limit: Int64 = 30_000_000_000

  func setLive(_ count: Int) throws {
    let when = EventLoopInstant(nanoseconds: loop.time().nanoseconds + Self.limit)
    for _ in 0..<count { handles.append(try loop.callAt(when) { self.fired() }) }
    loop.stop()
  }

  func rearm(_ count: Int) throws {
    left = count
    try rearmSome()
  }

  private func rearmSome() throws {
    var random = random
    var handles: [TimerHandle] = []
    swap(&handles, &self.handles)
    let when = EventLoopInstant(nanoseconds: loop.time().nanoseconds + Self.limit)
    for _ in 0..<min(left, setsPerClockReading) {
      let index = random.next(below: handles.count)
      try handles[index].reschedule(at: when)
    }
    swap(&handles, &self.handles)
    self.random = random
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

// Timers, by the million.
//
// - timer_cancel: sets 1,000,000 timers, 1 to 3600 seconds from now at random, cancels all in the order in which they
//   were set, and takes one turn more, so that what a loop puts off to the next turn is paid for.
// - timer_fire: sets 1,000,000 timers up to a second from now and waits until all have fired. The CPU counts: the wall
//   clock says a second and what the last ones took.
// - timer_rearm: of 10,000 timers one at random is set to 30 seconds from now, a thousand of them a turn: what a server
//   does with the time limit of a connection at every message.
//
// Each with the handles of `callAt`, and with the tokens of `setTimer`, which are values.
//
// The clock is read once in a thousand, as loops do that read it once a turn. All of it happens in the loop's thread:
// elsewhere a timer would be posted to it.

import AsyncIO
import MicroSupport

private let setsPerClockReading = 1000

/// What a timer is.
private protocol TimerForm: SendableMetatype {
  associatedtype Timer
  static func set(
    _ loop: BaseEventLoop, _ when: EventLoopInstant, _ callback: sending @escaping () throws -> Void
  ) throws -> Timer
  static func cancel(_ loop: BaseEventLoop, _ timer: Timer) throws
  static func move(_ loop: BaseEventLoop, _ timer: Timer, _ when: EventLoopInstant) throws
}

private enum Handles: TimerForm {
  @inline(__always)
  static func set(
    _ loop: BaseEventLoop, _ when: EventLoopInstant, _ callback: sending @escaping () throws -> Void
  ) throws -> TimerHandle {
    try loop.callAt(when, callback)
  }
  @inline(__always)
  static func cancel(_ loop: BaseEventLoop, _ timer: TimerHandle) { timer.cancel() }
  @inline(__always)
  static func move(_ loop: BaseEventLoop, _ timer: TimerHandle, _ when: EventLoopInstant) throws {
    try timer.reschedule(at: when)
  }
}

private enum Tokens: TimerForm {
  @inline(__always)
  static func set(
    _ loop: BaseEventLoop, _ when: EventLoopInstant, _ callback: sending @escaping () throws -> Void
  ) throws -> TimerToken {
    try loop.setTimer(at: when, callback)
  }
  @inline(__always)
  static func cancel(_ loop: BaseEventLoop, _ timer: TimerToken) throws { try loop.cancelTimer(timer) }
  @inline(__always)
  static func move(_ loop: BaseEventLoop, _ timer: TimerToken, _ when: EventLoopInstant) throws {
    try loop.moveTimer(timer, to: when)
  }
}

/// For the loop's thread alone, which is what makes the unchecked conformance right.
private final class Timers<Form: TimerForm>: @unchecked Sendable {
  private let loop: BaseEventLoop
  private var random = Random()
  private var timers: [Form.Timer] = []
  private var left = 0

  init(_ loop: BaseEventLoop) { self.loop = loop }

  private func fired() {
    left -= 1
    if left == 0 { loop.stop() }
  }

  // What is used at every step is in local variables there: the compiler checks each access to those of an object.

  func setAndCancel(_ count: Int) throws {
    var random = random
    var timers: [Form.Timer] = []
    timers.reserveCapacity(count)
    var now = loop.time()
    for index in 0..<count {
      if index % setsPerClockReading == 0 { now = loop.time() }
      let delay = Int64(random.longMilliseconds()) * 1_000_000
      timers.append(try Form.set(loop, EventLoopInstant(nanoseconds: now.nanoseconds + delay)) { self.fired() })
    }
    for timer in timers { try Form.cancel(loop, timer) }
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
      _ = try Form.set(loop, EventLoopInstant(nanoseconds: now.nanoseconds + delay)) { self.fired() }
    }
    self.random = random
  }

  private static var limit: Int64 { 30_000_000_000 }

  func setLive(_ count: Int) throws {
    let when = EventLoopInstant(nanoseconds: loop.time().nanoseconds + Self.limit)
    for _ in 0..<count { timers.append(try Form.set(loop, when) { self.fired() }) }
    loop.stop()
  }

  func rearm(_ count: Int) throws {
    left = count
    try rearmSome()
  }

  private func rearmSome() throws {
    var random = random
    var timers: [Form.Timer] = []
    swap(&timers, &self.timers)
    let when = EventLoopInstant(nanoseconds: loop.time().nanoseconds + Self.limit)
    for _ in 0..<min(left, setsPerClockReading) {
      let index = random.next(below: timers.count)
      try Form.move(loop, timers[index], when)
    }
    swap(&timers, &self.timers)
    self.random = random
    left -= setsPerClockReading
    guard left > 0 else { return loop.stop() }
    try loop.callSoon { try self.rearmSome() }
  }
}

func cancelTimers(_ bench: Bench, byToken: Bool) throws {
  if byToken { try cancel(bench, Timers<Tokens>(bench.loop)) } else { try cancel(bench, Timers<Handles>(bench.loop)) }
}

private func cancel<Form>(_ bench: Bench, _ timers: Timers<Form>) throws {
  try bench.measure(warmUp: bench.count) { count in
    try bench.runLoop { try timers.setAndCancel(count) }
  }
}

func fireTimers(_ bench: Bench, byToken: Bool) throws {
  if byToken { try fire(bench, Timers<Tokens>(bench.loop)) } else { try fire(bench, Timers<Handles>(bench.loop)) }
}

private func fire<Form>(_ bench: Bench, _ timers: Timers<Form>) throws {
  try bench.measure(warmUp: bench.count) { count in
    try bench.runLoop { try timers.setAndFire(count) }
  }
}

func rearmTimers(_ bench: Bench, byToken: Bool) throws {
  if byToken { try rearm(bench, Timers<Tokens>(bench.loop)) } else { try rearm(bench, Timers<Handles>(bench.loop)) }
}

private func rearm<Form>(_ bench: Bench, _ timers: Timers<Form>) throws {
  try bench.runLoop { try timers.setLive(10_000) }
  try bench.measure { count in
    try bench.runLoop { try timers.rearm(count) }
  }
}

// The works of Timers.swift with timers that are values, see `BaseEventLoop.setTimer(at:_:)`.

import AsyncIO
import MicroSupport

private let setsPerClockReading = 1000

/// For the loop's thread alone, which is what makes the unchecked conformance right.
private final class TokenTimers: @unchecked Sendable {
  private let loop: BaseEventLoop
  private var random = Random()
  private var tokens: [TimerToken] = []
  private var left = 0

  init(_ loop: BaseEventLoop) { self.loop = loop }

  private func fired() {
    left -= 1
    if left == 0 { loop.stop() }
  }

  func setAndCancel(_ count: Int) throws {
    var random = random
    var tokens: [TimerToken] = []
    tokens.reserveCapacity(count)
    var now = loop.time()
    for index in 0..<count {
      if index % setsPerClockReading == 0 { now = loop.time() }
      let delay = Int64(random.longMilliseconds()) * 1_000_000
      tokens.append(try loop.setTimer(at: EventLoopInstant(nanoseconds: now.nanoseconds + delay)) { self.fired() })
    }
    for token in tokens { try loop.cancelTimer(token) }
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
      try loop.setTimer(at: EventLoopInstant(nanoseconds: now.nanoseconds + delay)) { self.fired() }
    }
    self.random = random
  }

  private static let limit: Int64 = 30_000_000_000

  func setLive(_ count: Int) throws {
    let when = EventLoopInstant(nanoseconds: loop.time().nanoseconds + Self.limit)
    for _ in 0..<count { tokens.append(try loop.setTimer(at: when) { self.fired() }) }
    loop.stop()
  }

  func rearm(_ count: Int) throws {
    left = count
    try rearmSome()
  }

  private func rearmSome() throws {
    var random = random
    var tokens: [TimerToken] = []
    swap(&tokens, &self.tokens)
    let when = EventLoopInstant(nanoseconds: loop.time().nanoseconds + Self.limit)
    for _ in 0..<min(left, setsPerClockReading) {
      try loop.moveTimer(tokens[random.next(below: tokens.count)], to: when)
    }
    swap(&tokens, &self.tokens)
    self.random = random
    left -= setsPerClockReading
    guard left > 0 else { return loop.stop() }
    try loop.callSoon { try self.rearmSome() }
  }
}

func cancelTokens(_ bench: Bench) throws {
  let timers = TokenTimers(bench.loop)
  try bench.measure(warmUp: bench.count) { count in
    try bench.runLoop { try timers.setAndCancel(count) }
  }
}

func fireTokens(_ bench: Bench) throws {
  let timers = TokenTimers(bench.loop)
  try bench.measure(warmUp: bench.count) { count in
    try bench.runLoop { try timers.setAndFire(count) }
  }
}

func rearmTokens(_ bench: Bench) throws {
  let timers = TokenTimers(bench.loop)
  try bench.runLoop { try timers.setLive(10_000) }
  try bench.measure { count in
    try bench.runLoop { try timers.rearm(count) }
  }
}

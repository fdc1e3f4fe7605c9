import MicroSupport
import NIOCore

private final class Fire: NIOScheduledCallbackHandler, Sendable {
  private let timers: Timers
  init(_ timers: Timers) { self.timers = timers }
  func handleScheduledCallback(eventLoop: some EventLoop) { timers.step() }
}

private final class TooEarly: NIOScheduledCallbackHandler, Sendable {
  func handleScheduledCallback(eventLoop: some EventLoop) { fatalError("a timer fired long before its time") }
}

/// For the loop's thread alone, which is what makes the unchecked conformance right.
final class Timers: Countdown, @unchecked Sendable {
  private static let setsPerTurn = 1000
  private var random = Random()
  private var live: [NIOScheduledCallback] = []
  private let tooEarly = TooEarly()

  private func set(_ delay: TimeAmount, _ handler: some NIOScheduledCallbackHandler & Sendable) -> NIOScheduledCallback
  {
    do {
      return try loop.scheduleCallback(in: delay, handler: handler)
    } catch {
      fatalError("a timer was refused: \(error)")
    }
  }

  func setAndCancel(_ count: Int) async throws {
    try await run(count) {
      var timers: [NIOScheduledCallback] = []
      timers.reserveCapacity(count)
      for _ in 0..<count {
        timers.append(self.set(.milliseconds(Int64(self.random.longMilliseconds())), self.tooEarly))
      }
      for timer in timers { timer.cancel() }
      self.loop.execute { self.finish() }
    }
  }

  func setAndFire(_ count: Int) async throws {
    let fire = Fire(self)
    try await run(count) {
      for _ in 0..<count { _ = self.set(.nanoseconds(Int64(self.random.next(below: 1_000_000_000))), fire) }
    }
  }

  func setLive(_ count: Int) async throws {
    try await run(count) {
      for _ in 0..<count { self.live.append(self.set(.seconds(30), self.tooEarly)) }
      self.finish()
    }
  }

  func rearm(_ count: Int) async throws { try await run(count) { self.rearmSome() } }

  private func rearmSome() {
    for _ in 0..<Self.setsPerTurn {
      let index = random.next(below: live.count)
      live[index].cancel()
      live[index] = set(.seconds(30), tooEarly)
    }
    left -= Self.setsPerTurn
    guard left > 0 else { return finish() }
    loop.execute { self.rearmSome() }
  }
}

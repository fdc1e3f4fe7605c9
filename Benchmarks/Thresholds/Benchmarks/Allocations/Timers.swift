// Timers, a hundred at a time: more would measure how the heap grows.

import AsyncIO

/// For the loop's thread alone, which is what makes the unchecked conformance right.
private final class Timers: @unchecked Sendable {
  private static let atOnce = 100
  private let loop: BaseEventLoop
  private var handles: [TimerHandle] = []
  private var left = 0

  init(_ loop: BaseEventLoop) {
    self.loop = loop
    handles.reserveCapacity(Self.atOnce)
  }

  private func inAnHour() -> EventLoopInstant {
    EventLoopInstant(nanoseconds: loop.time().nanoseconds + 3_600_000_000_000)
  }

  /// A batch of the rest, then a turn, until nothing is left.
  func run(_ count: Int, _ batch: @escaping @Sendable (Timers, Int) throws -> Void) throws {
    left = count
    try turn(batch)
  }

  private func turn(_ batch: @escaping @Sendable (Timers, Int) throws -> Void) throws {
    guard left > 0 else { return loop.stop() }
    left -= Self.atOnce
    try batch(self, Self.atOnce)
    try loop.callSoon { try self.turn(batch) }
  }

  func setAndCancel(_ count: Int) throws {
    let when = inAnHour()
    for _ in 0..<count { handles.append(try loop.callAt(when) { self.left += 1 }) }
    for handle in handles { handle.cancel() }
    handles.removeAll(keepingCapacity: true)
  }

  /// They are due at once and fire in the next turn.
  func setAndFire(_ count: Int) throws {
    let now = loop.time()
    for _ in 0..<count { try loop.callAt(now) { self.handles.removeAll(keepingCapacity: true) } }
  }

  func reschedule(_ count: Int) throws {
    let when = inAnHour()
    while handles.count < count { handles.append(try loop.callAt(when) { self.left += 1 }) }
    for handle in handles { try handle.reschedule(at: when) }
  }
}

func registerTimers() {
  let works: [(String, @Sendable (Timers, Int) throws -> Void)] = [
    ("timers.setAndCancel", { try $0.setAndCancel($1) }),
    ("timers.setAndFire", { try $0.setAndFire($1) }),
    ("timers.reschedule", { try $0.reschedule($1) }),
  ]
  for (name, work) in works {
    count(name) { bench in
      let timers = Timers(bench.loop)
      try bench.meter.measure { count in
        try bench.runLoop { try timers.run(count, work) }
      }
    }
  }
}

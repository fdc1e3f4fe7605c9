// Callbacks that capture one object, for which a closure needs no memory of its own: what is counted is the loop's.

import AsyncIO

/// For the loop's thread alone, which is what makes the unchecked conformance right.
private final class Chain: @unchecked Sendable {
  private let loop: BaseEventLoop
  private var left = 0

  init(_ loop: BaseEventLoop) { self.loop = loop }

  func begin(_ count: Int, _ step: () throws -> Void) rethrows {
    left = count
    try step()
  }

  private func isAtEnd() -> Bool {
    left -= 1
    if left == 0 { loop.stop() }
    return left == 0
  }

  func callSoon() throws {
    if !isAtEnd() { try loop.callSoon { try self.callSoon() } }
  }

  func callSoonThreadsafe() throws {
    if !isAtEnd() { try loop.callSoonThreadsafe { try self.callSoonThreadsafe() } }
  }

  func callSoonWithTaskLocals() throws {
    if !isAtEnd() { try loop.callSoon(context: .taskLocals) { try self.callSoonWithTaskLocals() } }
  }

  /// A hundred in a turn.
  func batch() throws {
    for _ in 0..<100 { try loop.callSoon { self.left -= 1 } }
    try loop.callSoon { if self.left > 0 { try self.batch() } else { self.loop.stop() } }
  }
}

func registerCallbacks() {
  let works: [(String, @Sendable (Chain) throws -> Void)] = [
    ("callbacks.chain", { try $0.callSoon() }),
    ("callbacks.chain.taskLocals", { try $0.callSoonWithTaskLocals() }),
    ("callbacks.batch", { try $0.batch() }),
    ("callbacks.threadsafe", { try $0.callSoonThreadsafe() }),
  ]
  for (name, work) in works {
    count(name) { bench in
      let chain = Chain(bench.loop)
      try bench.meter.measure { count in
        try bench.runLoop { try chain.begin(count) { try work(chain) } }
      }
    }
  }
}

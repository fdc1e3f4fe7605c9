// What a callback costs from `callSoon` to its call.
//
// - chain: each callback queues the next one, so every callback is a turn of its own and pays a poll of the system: the
//   loop promises to look at its descriptors between two turns. To be compared with a floor that polls as often.
// - batch: a thousand empty callbacks and the one that queues the next thousand. One poll for all of them, so what is
//   left is the handle, the queue and the call.
// - chain_tasklocals: the chain with callbacks that see the task-local values of who queued them.
//
// A closure that captures one object and nothing else needs no memory of its own; with a second capture each callback
// is an allocation more.

import AsyncIO

/// State is for the loop's thread alone, which is what makes the unchecked conformance right.
private final class Chain: @unchecked Sendable {
  private let loop: BaseEventLoop
  private let context: CallbackContext
  private var left: Int

  init(_ loop: BaseEventLoop, _ context: CallbackContext, count: Int) {
    (self.loop, self.context, left) = (loop, context, count)
  }

  func step() throws {
    left -= 1
    guard left > 0 else { return loop.stop() }
    try loop.callSoon(context: context) { try self.step() }
  }
}

func chainCallbacks(_ bench: Bench, context: CallbackContext = .scopedPolicy) throws {
  try bench.measure { count in
    let chain = Chain(bench.loop, context, count: count)
    try bench.runLoop { try chain.step() }
  }
}

/// For the loop's thread alone, see above.
private final class Batch: @unchecked Sendable {
  static let size = 1000
  private let loop: BaseEventLoop
  private var left: Int
  private var calls = 0

  init(_ loop: BaseEventLoop, count: Int) { (self.loop, left) = (loop, count) }

  func fill() throws {
    guard left > 0 else { return loop.stop() }
    left -= Self.size
    for _ in 0..<Self.size { try loop.callSoon { self.calls += 1 } }
    try loop.callSoon { try self.fill() }
  }
}

func batchCallbacks(_ bench: Bench) throws {
  try bench.measure { count in
    let batch = Batch(bench.loop, count: count)
    try bench.runLoop { try batch.fill() }
  }
}

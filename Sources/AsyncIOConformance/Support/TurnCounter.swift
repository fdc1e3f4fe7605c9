internal import AsyncIO

/// Counts the turns of a loop by a callback that queues itself again: the first thing of each turn, if it is started
/// before everything else. While it counts, the loop does not wait.
final class TurnCounter: Sendable {
  private let turns = Box(0)
  private let ended = Box(false)

  /// Count from the next turn on.
  init(_ loop: any EventLoop) throws { try next(loop) }

  /// The turns so far.
  var count: Int { turns.value }

  /// Let the loop wait again.
  func end() { ended.value = true }

  private func next(_ loop: any EventLoop) throws {
    try loop.callSoon {
      if self.ended.value { return }
      self.turns.update { $0 += 1 }
      try self.next(loop)
    }
  }
}

extension EventLoop {
  /// Run the loop for this many turns.
  func run(turns: Int) throws {
    try stop(afterTurns: turns)
    try runForever()
  }

  /// Stop the loop when this many turns have begun, the next one being the first.
  func stop(afterTurns turns: Int) throws {
    try callSoon {
      if turns <= 1 {
        self.stop()
      } else {
        try self.stop(afterTurns: turns - 1)
      }
    }
  }
}

/// Which attempt to connect begins when, and what happens to the others: one after another, or staggered (RFC 8305,
/// "happy eyeballs").
///
/// The next attempt begins when the latest one has failed, or after the delay, if there is one. The first success wins;
/// the others are cancelled, and the race is over when the last of them has ended. A value that answers each event with
/// the actions to take, in order; the code that drives it takes them.
/// with what is to be done, in order.
struct ConnectRace {
  enum Action: Equatable {
    /// Begin the attempt on this address.
    case start(Int)
    /// Ask for the early end of an attempt; it still ends by an event.
    case cancel(Int)
    /// Close the socket of an attempt that has ended.
    case close(Int)
    /// Fire after the delay from now on. No timer is set when this comes.
    case setTimer
    case cancelTimer
    case finish(Outcome)
  }

  enum Outcome: Equatable {
    case connected(Int)
    case failed
    case cancelled
  }

  private let count: Int
  private let isStaggered: Bool
  private var next = 0
  private var running: Set<Int> = []
  private var winner: Int?
  private var isCancelled = false
  private var isTimerSet = false
  private var isFinished = false

  /// - Parameters:
  ///   - count: the number of addresses.
  ///   - isStaggered: true if a slow attempt is joined by the next one after the delay.
  init(count: Int, isStaggered: Bool) {
    self.count = count
    self.isStaggered = isStaggered
  }

  mutating func begin() -> [Action] {
    precondition(next == 0, "a race began twice")
    return isCancelled ? finishIfOver() : startNext()
  }

  mutating func succeeded(_ attempt: Int) -> [Action] {
    end(attempt)
    if winner != nil { return [.close(attempt)] + finishIfOver() }
    // A success that was faster than a cancellation from outside counts.
    winner = attempt
    return stopOthers() + finishIfOver()
  }

  mutating func failed(_ attempt: Int) -> [Action] {
    end(attempt)
    let isLatest = attempt == next - 1
    guard winner == nil, !isCancelled, isLatest, next < count else { return [.close(attempt)] + finishIfOver() }
    return [.close(attempt)] + cancelTimer() + startNext()
  }

  mutating func timerFired() -> [Action] {
    precondition(isTimerSet, "a timer that was not set fired")
    isTimerSet = false
    return startNext()
  }

  /// Cancel: no task waits for the race any more, or the loop ends what waits on it.
  mutating func cancel() -> [Action] {
    guard !isCancelled, winner == nil, !isFinished else { return [] }
    isCancelled = true
    // Before the beginning there is nothing to end, and nothing to report.
    if next == 0 { return [] }
    return stopOthers() + finishIfOver()
  }

  // MARK: Parts of answers

  private mutating func end(_ attempt: Int) {
    let wasRunning = running.remove(attempt) != nil
    precondition(wasRunning, "an attempt that was not running ended")
  }

  private mutating func startNext() -> [Action] {
    guard next < count else { return finishIfOver() }
    let attempt = next
    next += 1
    running.insert(attempt)
    guard isStaggered, next < count else { return [.start(attempt)] }
    isTimerSet = true
    return [.setTimer, .start(attempt)]
  }

  private mutating func stopOthers() -> [Action] {
    cancelTimer() + running.sorted().map { .cancel($0) }
  }

  private mutating func cancelTimer() -> [Action] {
    guard isTimerSet else { return [] }
    isTimerSet = false
    return [.cancelTimer]
  }

  private mutating func finishIfOver() -> [Action] {
    guard running.isEmpty, !isFinished else { return [] }
    isFinished = true
    if let winner { return [.finish(.connected(winner))] }
    return [.finish(isCancelled ? .cancelled : .failed)]
  }
}

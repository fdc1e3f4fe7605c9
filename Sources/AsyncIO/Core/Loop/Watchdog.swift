internal import CAsyncIO
internal import Logging
internal import Synchronization

// Debug mode's report of a step that takes too long, while it still does: the report at its end never comes if it
// hangs. The traps:
//
// - The loop's thread is busy with the step, so another one has to look. It exists while a loop in debug mode runs, and
//   looks several times within the time that a step may take; nothing wakes it, so a step costs no system call for it.
// - A loop may begin to run just as the thread finds none and ends. Both happen under one lock.

/// Looks at the loops in debug mode. Any thread.
enum Watchdog {
  private struct State {
    var isRunning = false
    /// True if a loop has begun since the thread looked.
    var isAsked = false
    /// The process that has the thread: a child of a fork has none.
    var forkGeneration: UInt64 = 0
  }

  private static let monitor = Monitor()
  // Touched inside of the monitor only.
  nonisolated(unsafe) private static var state = State()

  /// Look at a loop that begins to run in debug mode, and at all such loops as long as one of them runs. A system that
  /// has no thread left gets no reports of steps that have not ended.
  static func look(at loop: BaseEventLoop) {
    // A simulation has a clock of its own, which stands while a step runs.
    guard loop.turnObserver == nil else { return }
    let starts = monitor.locked { () -> Bool in
      state.isAsked = true
      monitor.signal()
      let generation = casyncio_fork_generation()
      defer { (state.isRunning, state.forkGeneration) = (true, generation) }
      return !state.isRunning || state.forkGeneration != generation
    }
    guard starts else { return }
    do { try Thread.detach(name: "asyncio watch") { watch() } } catch {
      monitor.locked { state.isRunning = false }
    }
  }

  /// End the thread soon if no loop is left.
  static func runEnded() { monitor.locked { monitor.signal() } }

  /// A step that was reported. Its owner shows a moment after its beginning; without it the report is made once more.
  private struct Report: Equatable {
    var number: UInt64
    var hasOwner: Bool
  }

  private static func watch() {
    // The last step that was reported, by the number of its loop.
    var reported: [Int: Report] = [:]
    while let pause = lookOnce(&reported) {
      monitor.locked { _ = monitor.wait(until: MonotonicTime.after(pause)) }
    }
  }

  /// Report what takes too long. Returns the time until the next look; nil if no loop in debug mode runs, and the
  /// thread ends.
  private static func lookOnce(_ reported: inout [Int: Report]) -> Int64? {
    monitor.locked { state.isAsked = false }
    var pause: Int64?
    for gauge in LoopCensus.gauges {
      let next = gauge.withRunningLoop { loop -> Int64? in
        guard loop.isDebug else { return nil }
        // A step that ends soon after the limit is reported at its end, and not twice.
        let allowed = max(loop.slowCallbackNanoseconds.load(ordering: .relaxed), 500_000)
        let limit = allowed > .max / 2 ? .max : allowed * 2
        report(gauge, loop, limit, &reported)
        return min(max(limit / 4, 1_000_000), 250_000_000)
      }
      if let next = next ?? nil { pause = min(pause ?? .max, next) }
    }
    if let pause { return pause }
    return monitor.locked {
      if state.isAsked { return 0 }
      state.isRunning = false
      return nil
    }
  }

  private static func report(
    _ gauge: LoopGauge, _ loop: BaseEventLoop, _ limit: Int64, _ reported: inout [Int: Report]
  ) {
    guard let step = gauge.reading.step else { return }
    let report = Report(number: step.number, hasOwner: step.owner != nil)
    let last = reported[gauge.number]
    guard last != report, last?.number != step.number || report.hasOwner else { return }
    let took = loop.time().nanoseconds - step.since
    guard took >= limit else { return }
    reported[gauge.number] = report
    loop.logger.warning(
      "executing \(step.description) has taken \(Double(took) / 1e9) seconds and goes on; the loop waits for it")
  }
}

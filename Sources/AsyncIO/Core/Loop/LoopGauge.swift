internal import CAsyncIO
internal import Synchronization

// What a watched loop notes while it runs, for threads that look at it. The traps:
//
// - A loop that hangs answers nothing. So what it runs, and since when, is noted before it runs.
// - A name costs more than most steps, and a step may change it. So names are asked for when somebody looks.
// - The clock costs more than the rest. It is read once for each step: the end of one is the beginning of the next.
// - A thread that looks must not find a loop that is about to go away, and a weak reference would make every count of
//   references to the loop dearer. So the loop is found here only while it runs: its caller holds it, and takes it away
//   under the lock.

/// The notes of one loop. Any thread; the loop's own thread writes.
package final class LoopGauge: Sendable {
  /// What is known of the loop's turns at one moment. Times are nanoseconds on the loop's clock.
  package struct Reading: Sendable {
    /// The kernel's number of the thread that runs the loop; 0 if none does.
    package var thread: Int64 = 0
    package var watchedSince: Int64?
    package var turns: UInt64 = 0
    /// Nanoseconds spent in steps.
    package var busy: Int64 = 0
    package var longest: Int64 = 0
    /// How many turns took less than 2^index microseconds, and at least half of that.
    package var durations = [UInt64](repeating: 0, count: LoopGauge.buckets)
    /// The entries that the last turn found.
    package var queued = 0
    package var step: LoopStep?
    /// The newest last.
    package var slow: [SlowStep] = []
  }

  /// The loop may be used while somebody runs it, who holds it.
  private struct State: @unchecked Sendable {
    var reading = Reading()
    var loop: Unmanaged<BaseEventLoop>?
    /// The process that runs it: in a child of a fork nobody does.
    var forkGeneration: UInt64 = 0
    var turnBegan: Int64 = 0
    var lastSeen: Int64 = 0
    var steps: UInt64 = 0
  }

  static var buckets: Int { 28 }
  private static var slowSteps: Int { 16 }

  /// The loop's number in the process.
  package let number: Int
  /// The way to the loop's thread; it refuses when the loop is closed.
  let intake: LoopIntake
  private let state = Lock(State())
  private let hasQuestion = Atomic<Bool>(false)

  init(number: Int, intake: LoopIntake) { (self.number, self.intake) = (number, intake) }

  package var reading: Reading { state.withLock { $0.reading } }

  /// Note that the loop is asked something by its inbox. Returns `false` while an earlier question waits there.
  func beginQuestion() -> Bool { !hasQuestion.exchange(true, ordering: .acquiringAndReleasing) }

  func endQuestion() { hasQuestion.store(false, ordering: .releasing) }

  // MARK: Runs

  func runBegins(_ loop: BaseEventLoop) {
    let (thread, generation) = (casyncio_thread_number(), casyncio_fork_generation())
    state.withLock { state in
      state.loop = .passUnretained(loop)
      state.forkGeneration = generation
      state.reading.thread = thread
    }
  }

  func runEnds() {
    state.withLock { state in
      state.loop = nil
      state.reading.thread = 0
      state.reading.step = nil
    }
  }

  /// Do something with the loop if it runs; returns nil otherwise.
  package func withRunningLoop<Result>(_ body: (BaseEventLoop) -> Result) -> Result? {
    // Outside of the lock: the last reference may end here, and a loop that goes away comes back to this lock.
    let generation = casyncio_fork_generation()
    let loop = state.withLock { state in
      state.forkGeneration == generation ? state.loop.map { SentLoop(loop: $0.takeUnretainedValue()) } : nil
    }
    return loop.map { body($0.loop) }
  }

  /// A loop is for any thread.
  private struct SentLoop: Sendable { let loop: BaseEventLoop }

  // MARK: Turns and steps. Loop thread.

  func turnBegins(at now: Int64, queued: Int) {
    state.withLock { state in
      if state.reading.watchedSince == nil { state.reading.watchedSince = now }
      state.reading.turns += 1
      state.reading.queued = queued
      (state.turnBegan, state.lastSeen) = (now, now)
    }
  }

  func stepBegins(_ step: LoopStep) {
    state.withLock { state in
      state.steps += 1
      state.reading.step = step
      state.reading.step?.since = state.lastSeen
      state.reading.step?.number = state.steps
    }
  }

  /// Note whose step it is, as far as that shows only when it has begun.
  func nameStep(_ owner: any StepOwner) {
    state.withLock { state in
      // A task that begins at once, inside of another's step, is not what the step began as.
      if let step = state.reading.step, step.isJob, step.owner == nil { state.reading.step?.owner = owner }
    }
  }

  /// Note the end of the step, and return it with the time that it took.
  func stepEnds(at now: Int64) -> (step: LoopStep, took: Int64)? {
    state.withLock { state in
      // Released by the caller, outside of the lock.
      guard let step = state.reading.step else { return nil }
      state.reading.step = nil
      state.lastSeen = now
      return (step, now - step.since)
    }
  }

  func turnEnds() {
    state.withLock { state in
      let took = max(0, state.lastSeen - state.turnBegan)
      state.reading.busy += took
      state.reading.longest = max(state.reading.longest, took)
      let microseconds = UInt64(took / 1000)
      let bucket = min(Self.buckets - 1, UInt64.bitWidth - microseconds.leadingZeroBitCount)
      state.reading.durations[bucket] += 1
    }
  }

  func noteSlow(_ step: SlowStep) {
    let dropped: SlowStep? = state.withLock { state in
      state.reading.slow.append(step)
      return state.reading.slow.count > Self.slowSteps ? state.reading.slow.removeFirst() : nil
    }
    _ = dropped
  }
}

/// The child processes that loops watch, by their numbers, for those who look at the process.
enum ChildCensus {
  struct Entry: Sendable {
    let loop: Int
    /// In monotonic nanoseconds.
    let since: Int64
  }

  private static let state = Lock<[Int32: Entry]>([:])

  static func enter(_ process: Int32, on loop: BaseEventLoop) {
    let entry = Entry(loop: loop.number, since: MonotonicTime.now)
    state.withLock { $0[process] = entry }
  }

  static func leave(_ process: Int32) { _ = state.withLock { $0.removeValue(forKey: process) } }

  static var all: [Int32: Entry] { state.withLock { $0 } }
}

/// The loops of the process, for those who look at all of them.
package enum LoopCensus {
  private static let state = Lock<[Int: LoopGauge]>([:])

  static func enter(_ gauge: LoopGauge) { state.withLock { $0[gauge.number] = gauge } }
  static func leave(_ number: Int) { _ = state.withLock { $0.removeValue(forKey: number) } }

  /// In the order in which the loops were made.
  package static var gauges: [LoopGauge] { state.withLock { Array($0.values) }.sorted { $0.number < $1.number } }
}

internal import AsyncIO
internal import CSimulation
internal import Synchronization

/// Watches each turn of a simulated loop: the order of its jobs, the invariants of its world, and threads that do not
/// belong in it.
///
/// In the loop's thread, except for the note of a foreign thread, which is behind a lock; that is what makes the
/// unchecked conformance right.
final class TurnKeeper: TurnObserver, @unchecked Sendable {
  unowned var world: SimulationWorld!
  private var random: SimulationRandom
  private let order: SimulationEventLoop.Order
  private var turnsLeft = Int.max
  /// True while a thread runs the loop.
  private let isRunning = Atomic<Bool>(false)
  private let hasForeigner = Atomic<Bool>(false)
  private let foreigner = Lock<String?>(nil)

  init(seed: UInt64, order: SimulationEventLoop.Order) {
    random = SimulationRandom(seed: seed, stream: 3)
    self.order = order
  }

  func runDidChange(_ begins: Bool) { isRunning.store(begins, ordering: .releasing) }

  /// Stop the loop after this many turns.
  func limit(turns: Int) { turnsLeft = turns }

  func turnWillRun(entries: Int) -> UInt64? {
    turnsLeft -= 1
    if turnsLeft <= 0 { world.loop.stop() }
    if hasForeigner.load(ordering: .relaxed) { reportForeigner() }
    world.turnWillRun(entries)
    return order == .seeded && entries > 1 ? random.next() : nil
  }

  func turnDidRun() { world.turnDidRun() }

  /// Note that a thread that does not run the loop gave it something to do.
  func noteForeignThread() {
    // Before and after its run a loop may be set up from anywhere; and the thread may come when everything is gone.
    guard isRunning.load(ordering: .acquiring) else { return }
    var name = [CChar](repeating: 0, count: 64)
    csimulation_thread_name(&name, name.count)
    let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let thread =
      switch text {
      case "main": "the main thread (the main actor, or Dispatch's main queue)"
      case "": "a thread without a name"
      default: "the thread \"\(text)\""
      }
    foreigner.withLock { $0 = $0 ?? thread }
    hasForeigner.store(true, ordering: .releasing)
  }

  private func reportForeigner() {
    guard let name = foreigner.withLock({ $0 }) else { return }
    hasForeigner.store(false, ordering: .relaxed)
    world.fail(
      SimulationFailure(
        .foreignThread,
        "\(name) resumed a task or scheduled a callback. Threads and Dispatch queues have no place in a "
          + "simulation, and the main actor is outside of it: use tasks, actors, runInExecutor or toThread."))
  }

  /// Wait for a foreign thread, as there is nothing to do. If that is because something outside of the world was asked,
  /// the answer comes in a moment of real time, and shows a thread that does not belong here. Returns `false` if none
  /// came.
  func waitForForeigner() -> Bool {
    let end = csimulation_real_nanoseconds() + Int64(world.patience / .nanoseconds(1))
    while !hasForeigner.load(ordering: .acquiring) {
      if csimulation_real_nanoseconds() >= end { return false }
      csimulation_pause()
    }
    return true
  }
}

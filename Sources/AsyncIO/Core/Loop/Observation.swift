internal import Synchronization

/// Whether this process keeps what people ask for who look at it: places in the code, what tasks wait for, what runs.
///
/// Each question costs a load while the answer is no. Yes once a loop of the process was in debug mode, or the process
/// offered to be inspected; it stays at that, because what was noted meanwhile has to be taken back.
package enum Observation {
  private static let origins = Atomic<Bool>(false)
  private static let inspection = Atomic<Bool>(false)

  /// True if waits and their places are noted.
  @inline(__always)
  static var keepsOrigins: Bool { origins.load(ordering: .relaxed) }

  /// True if every loop notes what it runs.
  @inline(__always)
  static var isInspected: Bool { inspection.load(ordering: .relaxed) }

  static func keepOrigins() { origins.store(true, ordering: .relaxed) }

  /// Let every loop note what it runs, those that run already from their next turn on. Any thread.
  static func beginInspection() {
    keepOrigins()
    inspection.store(true, ordering: .sequentiallyConsistent)
    for gauge in LoopCensus.gauges { gauge.withRunningLoop { $0.watch(for: .inspection) } }
  }

  /// Let loops note what they run for debug mode only. Places and waits are noted further.
  static func endInspection() {
    inspection.store(false, ordering: .sequentiallyConsistent)
    for gauge in LoopCensus.gauges { gauge.withRunningLoop { $0.ignore(.inspection) } }
  }
}

/// Why a loop notes what it runs.
struct WatchReasons: OptionSet {
  let rawValue: UInt8
  /// Its program is debugged: what is slow is logged.
  static let debug = WatchReasons(rawValue: 1 << 0)
  /// Its process can be inspected.
  static let inspection = WatchReasons(rawValue: 1 << 1)
}

extension BaseEventLoop {
  /// True if the loop notes what it runs, and where things were made.
  @inline(__always)
  final var isWatched: Bool { watchReasons.load(ordering: .relaxed) != 0 }

  /// Note what runs from the next turn on. Any thread.
  final func watch(for reason: WatchReasons) {
    watchReasons.bitwiseOr(reason.rawValue, ordering: .relaxed)
    Observation.keepOrigins()
    // A loop that is asleep or in a step reads the reasons in its next turn; what is noted before then is nothing.
    if reason == .debug, isRunning { Watchdog.look(at: self) }
  }

  final func ignore(_ reason: WatchReasons) { watchReasons.bitwiseAnd(~reason.rawValue, ordering: .relaxed) }

  /// Debug mode, see ``EventLoop/isDebug``; may change while the loop runs. Any thread. Answers `set_debug`.
  public final var isDebug: Bool {
    get { watchReasons.load(ordering: .relaxed) & WatchReasons.debug.rawValue != 0 }
    set {
      if newValue {
        watch(for: .debug)
      } else {
        ignore(.debug)
      }
    }
  }
}

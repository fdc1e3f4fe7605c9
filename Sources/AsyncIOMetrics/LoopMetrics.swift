#if Metrics
  public import AsyncIO
  public import Metrics
  internal import Synchronization

  // One task of measuring per loop, on that loop: a timer that sets itself again. The traps:
  //
  // - What is measured changes only in the loop's thread, and there the numbers of one sample belong together.
  // - The timer holds the metrics, and they do not hold the loop: a loop that is dropped must be able to go.
  // - Meters are asked for once. A factory may look a label up under a lock, and makes a new meter of a label that was
  //   given back; so meters are given back when the metrics are detached, and not before.

  /// Measures an event loop and reports to a metrics factory of swift-metrics.
  ///
  /// ```swift
  /// let metrics = try LoopMetrics.attach(to: getRunningLoop(), name: "main")
  /// defer { metrics.detach() }
  /// ```
  /// A loop that nobody measures pays nothing. One that is measured is asked for its numbers every few seconds, by a
  /// callback in its own thread; messages are not counted one by one. ``Options`` says what that costs, and the article
  /// Operating which metrics there are. When the loop is closed the measuring ends.
  public final class LoopMetrics: Sendable {
    /// How a loop is measured.
    public struct Options: Sendable {
      /// The time from one sample to the next. Less than a millisecond is taken as that.
      public var interval: Duration
      /// True to count the bytes of TCP connections, which the system is asked for: a system call of about a
      /// microsecond for each connection of a server in each sample, and for each connection at its end.
      public var countsBytes: Bool

      /// - Parameters:
      ///   - interval: the time from one sample to the next.
      ///   - countsBytes: true to count the bytes of TCP connections.
      public init(interval: Duration = .seconds(10), countsBytes: Bool = true) {
        (self.interval, self.countsBytes) = (interval, countsBytes)
      }
    }

    private struct State {
      var timer: TimerHandle?
      var isDetached = false
      var sampler: LoopSampler
    }

    // Right as unowned: callbacks of the loop use it, and `detach`, which its caller makes while the loop is there.
    private unowned let core: BaseEventLoop
    private let interval: Duration
    private let state: Mutex<State>

    private init(_ core: BaseEventLoop, _ interval: Duration, _ sampler: LoopSampler) {
      (self.core, self.interval) = (core, max(interval, .milliseconds(1)))
      state = Mutex(State(sampler: sampler))
    }

    /// Begin to measure a loop. The first sample is taken at once, or as soon as the loop runs. Any thread.
    ///
    /// - Parameters:
    ///   - loop: the loop. It holds the metrics until it is closed, or until ``detach()``.
    ///   - name: the value of the dimension `loop`; `nil` is the loop's number.
    ///   - options: how often, and whether bytes are counted.
    ///   - factory: makes the meters; the one of `MetricsSystem` by default.
    /// - Throws: ``EventLoopError`` with code `closed` for a closed loop, `notOffered` for a loop that does not build
    ///   on ``BaseEventLoop``.
    @discardableResult
    public static func attach(
      to loop: any EventLoop, name: String? = nil, options: Options = Options(),
      factory: any MetricsFactory = MetricsSystem.factory
    ) throws -> LoopMetrics {
      guard let core = loop as? BaseEventLoop else {
        throw EventLoopError(
          .notOffered,
          "attach: this event loop is not a BaseEventLoop, which has the numbers. Make one by "
            + "SelectorEventLoop(selector:).")
      }
      let sampler = LoopSampler(LoopMeters(name ?? "\(core.numberOfLoop)", factory))
      let metrics = LoopMetrics(core, options.interval, sampler)
      try core.callSoonThreadsafe {
        if options.countsBytes { core.beginToCountBytes() }
        metrics.sample(due: core.time())
      }
      return metrics
    }

    /// End the measuring, and give the meters back to their factory. Idempotent, any thread.
    public func detach() {
      let (timer, meters) = state.withLock { state -> (TimerHandle?, LoopMeters?) in
        guard !state.isDetached else { return (nil, nil) }
        state.isDetached = true
        return (state.timer.take(), state.sampler.meters)
      }
      timer?.cancel()
      meters?.destroy()
    }

    /// Take a sample, and set the timer for the next one. In the loop's thread.
    private func sample(due: EventLoopInstant) {
      let now = core.time()
      let figures = core.figures
      let next = now.advanced(by: interval)
      let isDone = state.withLock { state in
        guard !state.isDetached else { return true }
        state.sampler.take(figures, lag: due.duration(to: now))
        return false
      }
      if isDone { return }
      // A closed loop makes no more callbacks, and its timers are gone.
      let timer = try? core.callAt(next) { self.sample(due: next) }
      state.withLock { $0.timer = timer }
      _ = try? core.callSoon { self.endTurn(from: now) }
    }

    /// Measure the turn that went round since a moment of the one before. In the loop's thread.
    private func endTurn(from start: EventLoopInstant) {
      let length = start.duration(to: core.time())
      state.withLock { if !$0.isDetached { $0.sampler.takeTurn(length) } }
    }
  }
#endif

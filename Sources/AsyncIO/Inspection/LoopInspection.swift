internal import CAsyncIO
internal import Synchronization

// The report on one loop, put together by the thread that asked. All of it is from state that is locked or atomic, and
// from the copies of ``LoopInterior``, so a loop that hangs is described as well.

/// Describes a loop.
struct LoopInspection {
  let gauge: LoopGauge
  let reading: LoopGauge.Reading
  let interior: LoopInterior?
  /// The most entries of a list.
  let limit: Int
  /// Waits of the process, as many as are looked at.
  let waits: [WaitRecord]
  /// In monotonic nanoseconds.
  let now = MonotonicTime.now

  init(_ gauge: LoopGauge, _ interior: LoopInterior?, limit: Int, waits: [WaitRecord]) {
    (self.gauge, reading, self.interior, self.limit, self.waits) = (gauge, gauge.reading, interior, limit, waits)
  }

  /// Return the report; nil for a loop that is gone, or has another clock than the system's.
  func report() -> InspectionReport.Loop? {
    let running = gauge.withRunningLoop { loop in loop.turnObserver == nil ? describe(loop) : nil }
    if let running { return running }
    return InspectionReport.Loop(
      number: gauge.number, name: "EventLoop", backend: "", state: "idle", isDebug: false, answers: true, thread: nil,
      turns: turns, ready: reading.queued, now: nil, slow: slow, tasks: .init(), connections: .init(), timers: .init(),
      pool: nil, children: children, locks: .init())
  }

  private func describe(_ loop: BaseEventLoop) -> InspectionReport.Loop {
    let pool = loop.shared.withLock { $0.defaultExecutor }
    let step = reading.step
    return InspectionReport.Loop(
      number: gauge.number, name: "\(type(of: loop))", backend: loop.backendName, state: "running",
      isDebug: loop.isDebug, answers: interior != nil, thread: ThreadFigures.of(reading.thread), turns: turns,
      ready: reading.queued, now: step.map(describe), slow: slow, tasks: TaskInspection(loop, self).list,
      connections: interior.map { connections($0, loop) }, timers: interior.map(timers),
      pool: pool.map { pool in
        let (queued, threads, idle) = pool.figures
        return InspectionReport.Pool(threads: threads, maximum: pool.maximumThreads, idle: idle, queued: queued)
      }, children: children, locks: locks(of: loop))
  }

  static func inSeconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }

  // MARK: Turns and steps

  private var turns: InspectionReport.Turns {
    let watched = reading.watchedSince.map { Self.inSeconds(max(0, now - $0)) } ?? 0
    return InspectionReport.Turns(
      count: reading.turns, busy: Self.inSeconds(reading.busy), watched: watched,
      longest: Self.inSeconds(reading.longest), durations: reading.durations)
  }

  private func describe(_ step: LoopStep) -> InspectionReport.Step {
    let task = step.owner?.task
    return InspectionReport.Step(
      what: step.isJob ? "job" : "callback", task: task?.taskName,
      place: step.origin.map { "\($0)" },
      about: task == nil ? step.owner?.reportName : nil, lasting: Self.inSeconds(max(0, now - step.since)))
  }

  private var slow: [InspectionReport.Slow] {
    reading.slow.reversed().map { slow in
      InspectionReport.Slow(
        what: slow.what, task: slow.task, place: slow.place.map { "\($0)" }, took: Self.inSeconds(slow.took),
        ago: Self.inSeconds(max(0, now - slow.ended)))
    }
  }

  // MARK: What waits

  private func connections(_ interior: LoopInterior, _ loop: BaseEventLoop)
    -> InspectionReport.List<
      InspectionReport.Connection
    >
  {
    .init(count: interior.descriptorCount, shown: interior.descriptors.compactMap { connection($0, loop) })
  }

  private func connection(
    _ seen: LoopInterior.Descriptor, _ loop: BaseEventLoop
  ) -> InspectionReport.Connection? {
    let descriptor = seen.descriptor
    return loop.withNumber(of: descriptor) { number in
      var type: [Int32] = [0]
      let isSocket = loop.sockets.getOption(number, SOL_SOCKET, SO_TYPE, &type) >= 0
      let isConnection = isSocket && !descriptor.isListening
      let bytes = isConnection ? loop.sockets.transferredBytes(of: number) : nil
      let roundTrip = isConnection ? casyncio_round_trip(number) : 0
      let kind =
        descriptor.isListening
        ? "listener"
        : descriptor.isPipeSocket || !isSocket
          ? (seen.isWatch ? "other" : "pipe") : type[0] == casyncio_stream_type ? "stream" : "datagram"
      return InspectionReport.Connection(
        number: number, kind: kind, local: isSocket ? loop.sockets.localAddress(of: number)?.description : nil,
        peer: isSocket ? loop.sockets.peerAddress(of: number)?.description : nil,
        received: bytes?.received, sent: bytes?.sent, roundTrip: roundTrip > 0 ? Double(roundTrip) / 1e6 : nil,
        isReading: seen.isReading, isWriting: seen.isWriting, tls: seen.tls)
    }
  }

  private func timers(_ interior: LoopInterior) -> InspectionReport.List<InspectionReport.Timer> {
    .init(
      count: interior.timerCount,
      shown: interior.timers.map { timer in
        InspectionReport.Timer(
          remaining: timer.deadline == .max ? 1e9 : timer.deadline <= now ? 0 : Self.inSeconds(timer.deadline - now),
          what: timer.what,
          place: timer.place.map { "\($0)" })
      })
  }

  private var children: InspectionReport.List<InspectionReport.Child> {
    let mine = ChildCensus.all.filter { $0.value.loop == gauge.number }.sorted { $0.key < $1.key }
    return .init(
      count: mine.count,
      shown: mine.prefix(limit).map { process, entry in
        InspectionReport.Child(pid: process, age: Self.inSeconds(max(0, now - entry.since)))
      })
  }

  /// What tasks of the loop wait for, other than each other.
  private func locks(of loop: BaseEventLoop) -> InspectionReport.List<InspectionReport.LockWait> {
    let mine = waits.filter { !($0.point is any Awaitable) && $0.loop == gauge.number }
    let groups = Dictionary(grouping: mine) { ObjectIdentifier($0.point) }.values
    let sorted = groups.map { $0.sorted { $0.number < $1.number } }.sorted { $0[0].number < $1[0].number }
    return .init(
      count: sorted.count,
      shown: sorted.prefix(limit).map { group in
        let point = group[0].point
        let owner = point.holders.first.map { identity in
          LoopTaskRegistry.shared.owner(of: identity)?.shortName ?? "a task"
        }
        return InspectionReport.LockWait(
          kind: point.waitName, place: point.waitPlace.map { "\($0)" }, owner: owner,
          waiters: group.prefix(limit).map { $0.owner?.shortName ?? "a task" })
      })
  }
}

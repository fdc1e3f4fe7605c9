/// When ``wait(for:returnWhen:timeout:fileID:line:)`` returns.
public enum WaitCondition: Hashable, Sendable {
  /// When one future is done. Answers `FIRST_COMPLETED`.
  case firstCompleted
  /// When one future has failed, or all are done; a cancelled one has not failed. Answers `FIRST_EXCEPTION`.
  case firstException
  /// When all are done. Answers `ALL_COMPLETED`.
  case allCompleted
}

/// Wait for some futures, and return which are then done and which are not, each list in the order of the arguments.
/// Answers `wait()`.
///
/// Neither a failed future nor the end of the time throws, and this never cancels a future. When the calling task is
/// cancelled, `CancellationError` is thrown at once, and the futures go on.
///
/// - Parameters:
///   - futures: at least one; code `invalidArgument` for none, `invalidState` for the calling task itself.
///   - condition: what ends the wait.
///   - timeout: the longest wait, by the running loop's timers: code `noRunningLoop` outside of a loop's thread,
///     `closed` if that loop is closed before. Nil means no limit, and needs no loop.
///   - fileID: where the wait is, for a captured call graph; as `line`, for the compiler to fill in.
///   - line: see `fileID`.
public func wait<Value: Sendable>(
  for futures: some Sequence<Future<Value>>, returnWhen condition: WaitCondition = .allCompleted,
  timeout: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line
) async throws -> (done: [Future<Value>], pending: [Future<Value>]) {
  try await checkpoint()
  let futures = unique(Array(futures))
  guard !futures.isEmpty else {
    throw EventLoopError(.invalidArgument, "wait: the list of futures is empty. Give it at least one.")
  }
  for future in futures { try future.refuseSelfWait() }
  let end = OneWait<WaitEnd>()
  let timer = try timeout.map { limit in
    let core = try runningCore("wait")
    return TimeLimit(until: core.time().advanced(by: limit), on: core) { end.end($0 == .closed ? .closed : .isOver) }
  }
  defer { timer?.cancel() }
  let awaiter = Awaiter.current(CallSite(file: fileID, line: line))
  let countdown = Countdown(futures.count)
  let observers = futures.map { future in
    @Sendable func ended() {
      let isLast = countdown.count() == 0
      switch condition {
      case .firstCompleted: end.end(.isOver)
      case .firstException where future.hasFailed && !future.isCancelled: end.end(.isOver)
      case .firstException, .allCompleted: if isLast { end.end(.isOver) }
      }
    }
    let observer = future.observe(by: awaiter, ended)
    if observer == nil { ended() }
    return observer
  }
  let ending = await end.wait(cancelled: .cancelled)
  for (future, observer) in zip(futures, observers) {
    if let observer { future.stopObserving(observer) }
  }
  switch ending {
  case .isOver: break
  case .closed: throw EventLoopError.closed("wait")
  case .cancelled: throw CancellationError()
  }
  let done = Set(futures.filter(\.isDone).map(ObjectIdentifier.init))
  return (
    futures.filter { done.contains(ObjectIdentifier($0)) }, futures.filter { !done.contains(ObjectIdentifier($0)) }
  )
}

private enum WaitEnd { case isOver, closed, cancelled }

/// Counts down, in any thread.
private final class Countdown: Sendable {
  private let left: Lock<Int>

  init(_ count: Int) { left = Lock(count) }

  func count() -> Int {
    left.withLock { left in
      left -= 1
      return left
    }
  }
}

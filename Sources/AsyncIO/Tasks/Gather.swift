// Several futures, one wait. The futures may belong to several loops, and to closed ones: the waits use the futures'
// direct observers instead of their callbacks, which a closed loop does not run.

/// Wait for all futures and return their values in the order of the arguments. Answers `gather()`.
///
/// ```swift
/// let (page, rank) = try await gather(
///   loop.createTask { try await fetch() }, loop.createTask { try await score() })
/// ```
/// The first error is thrown at once, and the other futures go on; an error of theirs that is not retrieved is
/// reported. A future that other code cancels throws `CancellationError`, and also leaves the others alone. Cancelling
/// the task that waits cancels all the futures, waits for their ends, and throws `CancellationError`. A future that is
/// given twice is waited for once. Throws code `invalidState` for the waiting task itself.
public func gather<each Value: Sendable>(
  _ futures: repeat Future<each Value>, fileID: StaticString = #fileID, line: UInt = #line
) async throws -> (repeat each Value) {
  var all: [any Awaitable] = []
  for future in repeat each futures { all.append(future) }
  try await Gathering.wait(for: all, endsWithFailure: true, CallSite(file: fileID, line: line))
  return try (repeat (each futures).result())
}

/// Wait for any number of futures of one type, like the form above. Without futures there is no wait.
public func gather<Value: Sendable>(
  _ futures: some Sequence<Future<Value>>, fileID: StaticString = #fileID, line: UInt = #line
) async throws -> [Value] {
  let futures = Array(futures)
  try await Gathering.wait(for: futures, endsWithFailure: true, CallSite(file: fileID, line: line))
  return try futures.map { try $0.result() }
}

/// Wait for all futures and return the result of each, in the order of the arguments. Only a cancellation of the
/// waiting task is thrown. Answers `gather(return_exceptions=True)`.
public func gatherResults<Value: Sendable>(
  _ futures: some Sequence<Future<Value>>, fileID: StaticString = #fileID, line: UInt = #line
) async throws -> [Result<Value, any Error>] {
  let futures = Array(futures)
  try await Gathering.wait(for: futures, endsWithFailure: false, CallSite(file: fileID, line: line))
  return futures.map { future in Result { try future.result() } }
}

/// What is still to come of the gathered futures.
struct GatherState {
  let endsWithFailure: Bool
  var pending: Int
  var isCancelled = false
  var firstFailure: Int?

  /// Note the end of a future. Returns `true` if the wait is over.
  mutating func ended(_ index: Int, hasFailed: Bool) -> Bool {
    pending -= 1
    if hasFailed, firstFailure == nil { firstFailure = index }
    // A cancelled wait ends only when everything has ended.
    return pending == 0 || (hasFailed && endsWithFailure && !isCancelled)
  }
}

/// One wait for several futures.
private final class Gathering: Sendable {
  private let futures: [any Awaitable]
  private let state: Lock<GatherState>
  private let end = OneWait<Void>()

  /// Wait. Throws the first error if that ends the wait, or `CancellationError` if the calling task is cancelled.
  static func wait(for futures: [any Awaitable], endsWithFailure: Bool, _ site: CallSite) async throws {
    try await checkpoint()
    for future in futures { try future.refuseSelfWait() }
    guard !futures.isEmpty else { return }
    try await Gathering(unique(futures), endsWithFailure).wait(Awaiter.current(site), site)
  }

  private init(_ futures: [any Awaitable], _ endsWithFailure: Bool) {
    self.futures = futures
    state = Lock(GatherState(endsWithFailure: endsWithFailure, pending: futures.count))
  }

  private func wait(_ awaiter: Awaiter?, _ site: CallSite) async throws {
    let record = WaitRecords.shared.begin(self, site)
    defer { WaitRecords.shared.end(record) }
    let observers = futures.indices.map { index in
      let observer = futures[index].observe(by: awaiter) { self.ended(index) }
      if observer == nil { ended(index) }
      return observer
    }
    WaitRecords.shared.reportCircle(record)
    await withTaskCancellationHandler {
      await end.wait()
    } onCancel: {
      cancel()
    }
    for (future, observer) in zip(futures, observers) {
      if let observer { future.stopObserving(observer) }
    }
    let (failure, isCancelled) = state.withLock { ($0.endsWithFailure ? $0.firstFailure : nil, $0.isCancelled) }
    if isCancelled { throw CancellationError() }
    if let failure { try futures[failure].check() }
  }

  private func ended(_ index: Int) {
    let hasFailed = futures[index].hasFailed
    if state.withLock({ $0.ended(index, hasFailed: hasFailed) }) { end.end(()) }
  }

  private func cancel() {
    // Set before the futures are told: the last of them may be done, and the wait over, inside the loop. A cancellation
    // that comes when all are done is too late.
    state.withLock { $0.isCancelled = $0.pending > 0 }
    for future in futures { future.cancel(nil) }
  }
}

extension Gathering: WaitPoint {
  var waitName: String { "\(futures.count) futures" }
  var waitPlace: CallSite? { nil }
  var holders: [UInt] { futures.compactMap { $0.isDone ? nil : ($0 as? any CancellableTask)?.identity } }
}

/// Return the same objects, each once, in their order.
func unique<Element>(_ objects: [Element]) -> [Element] {
  var seen: Set<ObjectIdentifier> = []
  return objects.filter { seen.insert(ObjectIdentifier($0 as AnyObject)).inserted }
}

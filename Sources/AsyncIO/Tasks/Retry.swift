/// How long to wait between attempts.
public struct Backoff: Hashable, Sendable {
  private let first: Duration
  private let limit: Duration

  /// A pause that doubles with each failure.
  ///
  /// - Parameters:
  ///   - first: after the first failure. Zero or less lets others run for a turn, after every failure.
  ///   - limit: the longest pause.
  public static func exponential(from first: Duration, atMost limit: Duration) -> Backoff {
    Backoff(first: first, limit: limit)
  }

  /// The longest pause after this many failures.
  func pause(afterFailures count: Int) -> Duration {
    var pause = min(first, limit)
    guard pause > .zero else { return .zero }
    // Enough for any limit, however many failures there were.
    for _ in 1..<max(1, min(count, 128)) where pause < limit { pause *= 2 }
    return min(pause, limit)
  }
}

/// Run the body until it succeeds, with a pause after each failure that is worth another attempt. The error of the last
/// attempt is thrown.
///
/// ```swift
/// let connection = try await retry(attempts: 5, while: { $0 is IOError || $0 is ConnectError }) { _ in
///   try await StreamConnection.connect(host: "127.0.0.1", port: 7000)
/// }
/// ```
/// A cancellation is never retried: neither a `CancellationError`, nor any error of a body whose task is cancelled, nor
/// an ``InterruptError``. A task that is cancelled during a pause throws `CancellationError` at once.
///
/// - Parameters:
///   - attempts: how often the body is run at most; `.max` for no limit. Throws code `invalidArgument` for less than
///     one.
///   - backoff: the longest pause after each failure.
///   - jitter: by chance, which part of that pause is made, from 0 to 1. Without chance all clients of a server that
///     restarts come back at once. By default it is any part, from the system's random numbers; `{ 1 }` makes whole
///     pauses, and `{ world.random.fraction() }` gives a simulation's seed the choice.
///   - isWorthAnother: whether to try again after an error; by default after each.
///   - body: gets the number of the attempt, from 1.
/// - Throws: what the last attempt threw; code `noRunningLoop` outside of a loop's thread.
public func retry<Value: Sendable>(
  attempts: Int, backoff: Backoff = .exponential(from: .milliseconds(100), atMost: .seconds(10)),
  jitter: () -> Double = { .random(in: 0...1) }, while isWorthAnother: (any Error) -> Bool = { _ in true },
  _ body: (_ attempt: Int) async throws -> Value
) async throws -> Value {
  guard attempts > 0 else {
    throw EventLoopError(.invalidArgument, "retry: attempts is \(attempts). Give at least 1.")
  }
  try await checkpoint()
  // Refused at once, and not after the first failure.
  _ = try runningCore("retry")
  var attempt = 1
  while true {
    do { return try await body(attempt) } catch {
      let isEnd = error is CancellationError || error is any InterruptError || isCurrentTaskCancelled()
      guard !isEnd, attempt < attempts, isWorthAnother(error) else { throw error }
    }
    let pause = backoff.pause(afterFailures: attempt).saturatedNanoseconds
    attempt += 1
    try await sleep(for: .nanoseconds(share(jitter(), of: pause)))
  }
}

/// Return a part of a number of nanoseconds; all of it for NaN and for more than 1.
private func share(_ part: Double, of whole: Int64) -> Int64 {
  guard part < 1 else { return whole }
  return Int64(exactly: (Double(whole) * max(0, part)).rounded(.down)).map { min($0, whole) } ?? whole
}

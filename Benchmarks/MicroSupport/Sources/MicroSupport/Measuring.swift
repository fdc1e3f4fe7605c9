#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Reads both clocks when it is made and when it reports.
public struct Stopwatch: Sendable {
  private let wall = Self.nanoseconds(CLOCK_MONOTONIC)
  private let cpu = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID)

  public init() {}

  /// Print how long the operations took: the CPU time of the whole process, and the time that passed.
  public func report(_ operations: Int) {
    let wall = Self.nanoseconds(CLOCK_MONOTONIC) - wall
    let cpu = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu
    print("{\"ops\":\(operations),\"wall_ns\":\(wall),\"cpu_ns\":\(cpu)}")
    fflush(nil)
  }

  private static func nanoseconds(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}

/// Run the work unmeasured, by default a tenth of it, then whole, and print what that took.
public func measure(warmUp: Int? = nil, _ count: Int, _ work: (Int) throws -> Void) rethrows {
  try work(max(1, warmUp ?? count / 10))
  let stopwatch = Stopwatch()
  try work(count)
  stopwatch.report(count)
}

/// As ``measure(warmUp:_:_:)-(_,_,(Int)->Void)``, for code that awaits.
public nonisolated(nonsending) func measure(
  warmUp: Int? = nil, _ count: Int, _ work: nonisolated(nonsending) (Int) async throws -> Void
) async rethrows {
  try await work(max(1, warmUp ?? count / 10))
  let stopwatch = Stopwatch()
  try await work(count)
  stopwatch.report(count)
}

/// For servers: the client waits for it. At once, even into a pipe.
public func announceReady() {
  print("ready")
  fflush(nil)
}

/// Counts the answers of a server, of which a tenth more than `count` are to come, and measures the last `count`.
public struct AnswerMeter {
  private let warmUp: Int
  private let count: Int
  private var answered = 0
  private var stopwatch: Stopwatch?

  public init(_ count: Int) { (self.count, warmUp) = (count, count / 10) }

  /// Before an answer is sent.
  public mutating func willAnswer() {
    if answered == warmUp { stopwatch = Stopwatch() }
  }

  /// Behind it. True after the last one, which has been reported then.
  public mutating func didAnswer() -> Bool {
    answered += 1
    guard answered == warmUp + count else { return false }
    stopwatch?.report(count)
    return true
  }
}

/// Xorshift: the same numbers in every run and in every language.
@frozen
public struct Random {
  @usableFromInline var state: UInt64 = 88_172_645_463_325_252

  @inlinable
  public init() {}

  /// From zero up, less than the limit.
  @inlinable
  public mutating func next(below limit: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(limit))
  }

  /// Of a timer that is not to fire: 1 to 3600 seconds.
  @inlinable
  public mutating func longMilliseconds() -> Int { 1000 + next(below: 3_599_000) }
}

import AsyncIO

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A loop to measure, and how often to do the work.
struct Bench {
  let runner: Runner
  let loop: BaseEventLoop
  let extent: Runner.Extent
  let count: Int
  let port: UInt16

  init(_ options: Options) throws {
    (extent, count, port) = (options.extent, options.count, options.port ?? 0)
    let kind = options.loop
    runner = Runner(options.extent) { try EventLoopKinds.make(kind) }
    do {
      guard let loop = try runner.getLoop() as? BaseEventLoop else {
        throw NotOffered(description: "the loop \(kind) is not one of this package")
      }
      self.loop = loop
    } catch let error as EventLoopError where error.code == .notOffered {
      throw NotOffered(description: error.description)
    }
  }

  /// Where tasks have to be sent so that they run on the loop; nil where the whole process is on it.
  var preference: (any TaskExecutor)? { extent == .process ? nil : loop.taskExecutor }

  /// Runs the work unmeasured, by default a tenth of it, then whole, and prints what that took.
  func measure(warmUp: Int? = nil, _ work: (Int) throws -> Void) throws {
    try work(max(1, warmUp ?? count / 10))
    let stopwatch = Stopwatch()
    try work(count)
    stopwatch.report(count)
  }

  /// Runs the loop until somebody stops it, beginning with the body, in the loop's thread.
  func runLoop(_ body: @escaping @Sendable () throws -> Void) throws {
    try loop.callSoon { try body() }
    try loop.runForever()
  }

  /// As ``measure(warmUp:_:)``, for code that awaits.
  func measureTask(warmUp: Int? = nil, _ work: @escaping @Sendable (Int) async throws -> Void) throws {
    let (count, warmUp) = (count, max(1, warmUp ?? count / 10))
    try runner.run {
      try await work(warmUp)
      let stopwatch = Stopwatch()
      try await work(count)
      stopwatch.report(count)
    }
  }
}

/// Reads both clocks when it is made and when it reports.
struct Stopwatch: Sendable {
  private let wall = Self.nanoseconds(CLOCK_MONOTONIC)
  private let cpu = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID)

  func report(_ operations: Int) {
    let wall = Self.nanoseconds(CLOCK_MONOTONIC) - wall
    let cpu = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu
    print("{\"ops\":\(operations),\"wall_ns\":\(wall),\"cpu_ns\":\(cpu)}")
  }

  private static func nanoseconds(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}

/// Xorshift: the same numbers in every run and in every language.
struct Random {
  private var state: UInt64 = 88_172_645_463_325_252

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  mutating func next(below limit: Int) -> Int { Int(next() % UInt64(limit)) }
}

import AsyncIO
import Benchmark
import CAllocations
import MicroSupport

/// The tool keeps whole numbers, so it is told of a thousand operations. Its name is a key in the files of thresholds.
let allocations = BenchmarkMetric.custom("allocationsPer1000Operations", useScalingFactor: false)

/// Of a thousand operations. A ring or a table that grows inside of the measurement is a few; anything that each
/// operation allocates is a thousand.
let tolerance = 5

/// The loops of this machine. io_uring may be missing or forbidden.
func offeredLoops() -> [String] {
  ["selector", "proactor"].filter { name in
    guard let loop = try? EventLoopKinds.make(name) else { return false }
    return (try? loop.close()) != nil
  }
}

/// Does a work several times and counts what it allocates. For the thread of its loop alone, which is what makes the
/// unchecked conformance right.
final class Meter: @unchecked Sendable {
  /// How many operations a short run has.
  var operations = 5000
  private(set) var perThousand = 0

  // The difference of a long and a short run has nothing of start and end in it. The first run lets everything grow.

  func measure(_ work: (Int) throws -> Void) rethrows {
    try work(3 * operations)
    let start = callocations_count()
    try work(operations)
    let middle = callocations_count()
    try work(3 * operations)
    finish(start, middle)
  }

  /// As the other one, for code that awaits.
  func measure(_ work: nonisolated(nonsending) (Int) async throws -> Void) async rethrows {
    try await work(3 * operations)
    let start = callocations_count()
    try await work(operations)
    let middle = callocations_count()
    try await work(3 * operations)
    finish(start, middle)
  }

  private func finish(_ start: UInt64, _ middle: UInt64) {
    let end = callocations_count()
    let difference = Int(end - middle) - Int(middle - start)
    let more = 2 * operations
    perThousand = max(0, (difference * 1000 + more / 2) / more)
  }
}

/// A loop in its thread, and what counts.
struct Bench {
  let runner: Runner
  let loop: BaseEventLoop
  let meter = Meter()

  init(_ kind: String) throws {
    runner = Runner { try EventLoopKinds.make(kind) }
    guard let loop = try runner.getLoop() as? BaseEventLoop else {
      throw EventLoopError(.invalidArgument, "\(kind) is not a loop of this package")
    }
    self.loop = loop
  }

  /// Run the loop until somebody stops it, beginning with the body, in the loop's thread.
  func runLoop(_ body: @escaping @Sendable () throws -> Void) throws {
    try loop.callSoon { try body() }
    try loop.runForever()
  }

  /// Count code that awaits, in a task of the loop.
  func measureTask(_ work: @escaping @Sendable (Int) async throws -> Void) throws {
    let meter = meter
    try runner.run { try await meter.measure(work) }
  }
}

/// The outcome of a thread that is waited for, which is what makes the unchecked conformance right.
private final class Outcome: @unchecked Sendable {
  var result: Result<[BenchmarkMetric: Int], any Error>?
}

/// Add a benchmark of what operations allocate. Its name is the middle of the name of a file, so it has no blanks and
/// slashes.
func count(_ name: String, on kind: String = "selector", _ body: @escaping @Sendable (Bench) throws -> Void) {
  register(name, [allocations: tolerance], on: kind) { bench in
    try body(bench)
    return [allocations: bench.meter.perThousand]
  }
}

/// Add a benchmark with its figures and their tolerances. The body counts the figures; it runs `times` times.
func register(
  _ name: String, _ tolerances: [BenchmarkMetric: Int], on kind: String, times: Int = 3,
  _ body: @escaping @Sendable (Bench) throws -> [BenchmarkMetric: Int]
) {
  var configuration = Benchmark.defaultConfiguration
  configuration.metrics = Array(tolerances.keys)
  configuration.maxIterations = times
  configuration.thresholds = tolerances.mapValues { BenchmarkThresholds(absolute: [.p90: $0]) }
  Benchmark(name, configuration: configuration) { benchmark in
    let outcome = Outcome()
    var threads = Threads()
    threads.start(on: Core.loop) {
      outcome.result = Result {
        let bench = try Bench(kind)
        defer { try? bench.runner.close() }
        return try body(bench)
      }
    }
    threads.join()
    switch outcome.result {
    case .success(let figures): for (metric, figure) in figures { benchmark.measurement(metric, figure) }
    case .failure(let error): benchmark.error("\(name): \(error)")
    case nil: benchmark.error("\(name): its thread ended early")
    }
  }
}

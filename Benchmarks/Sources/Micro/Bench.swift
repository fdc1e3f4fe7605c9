import AsyncIO
import MicroSupport

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

  /// Run the work unmeasured, by default a tenth of it, then whole, and print what that took.
  func measure(warmUp: Int? = nil, _ work: (Int) throws -> Void) throws {
    try MicroSupport.measure(warmUp: warmUp, count, work)
  }

  /// Run the loop until somebody stops it, beginning with the body, in the loop's thread.
  func runLoop(_ body: @escaping @Sendable () throws -> Void) throws {
    try loop.callSoon { try body() }
    try loop.runForever()
  }

  /// As ``measure(warmUp:_:)``, for code that awaits.
  func measureTask(warmUp: Int? = nil, _ work: @escaping @Sendable (Int) async throws -> Void) throws {
    let count = count
    try runner.run { try await MicroSupport.measure(warmUp: warmUp, count, work) }
  }
}

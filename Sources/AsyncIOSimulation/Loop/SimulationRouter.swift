internal import AsyncIO
internal import CSimulation

/// Brings the jobs of a simulated thread to its loop: jobs of tasks that prefer no executor would otherwise run in the
/// threads of the pool.
///
/// In the loop's thread, which is what makes the unchecked conformance right.
final class SimulationRouter: @unchecked Sendable {
  private let executor: any TaskExecutor

  init(_ loop: SimulationEventLoop) { executor = loop.taskExecutor }

  /// Once for the process.
  private static let installed: Void = csimulation_route(
    { job, context in
      guard let job, let context else { return }
      // Right because the runtime hands over a job, as the hook's type says, and the context is a router that its
      // loop's backend holds while the thread is simulated.
      let router = Unmanaged<SimulationRouter>.fromOpaque(context).takeUnretainedValue()
      router.executor.enqueue(ExecutorJob(unsafeBitCast(job, to: UnownedJob.self)))
    })

  /// Simulate the thread from here on.
  func enter(_ clock: UnsafePointer<Int64>) {
    _ = Self.installed
    csimulation_enter(clock, Unmanaged.passUnretained(self).toOpaque())
  }

  func leave() { csimulation_leave() }
}

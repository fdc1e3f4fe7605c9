public import AsyncIO
internal import Synchronization

/// Makes simulation loops: the seed replays the program that runs on them, without another edit.
///
/// Each loop of the policy has a world of its own; the first one has the seed, the next ones the seeds that follow.
open class SimulationEventLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  /// The seed of the first loop.
  public let seed: UInt64
  /// What can go wrong.
  public let faults: FaultPlan
  private let made = Atomic<UInt64>(0)

  /// Create a policy.
  public init(seed: UInt64, faults: FaultPlan = .none) {
    (self.seed, self.faults) = (seed, faults)
    super.init()
  }

  /// Make a ``SimulationEventLoop``, whatever the environment says.
  open override func newEventLoop() throws -> any EventLoop {
    let number = made.add(1, ordering: .relaxed).oldValue
    return SimulationEventLoop(seed: seed &+ number, faults: faults)
  }
}

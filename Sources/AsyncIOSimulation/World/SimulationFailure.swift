public import AsyncIO

/// Why a simulation failed, and how to see it again.
///
/// It ends the run of its loop, as an interrupt does.
public struct SimulationFailure: InterruptError, CustomStringConvertible, Sendable {
  /// What kind of failure it is.
  public enum Kind: String, Sendable, Codable {
    /// The scenario threw, or a program of a host did.
    case thrown
    /// Something that must always hold did not.
    case invariant
    /// Something that must hold eventually did not, in its time.
    case never
    /// There is nothing to do, nothing will happen, and a task waits.
    case deadlock
    /// The program turns and turns without coming to an end.
    case livelock
    /// The main actor or a thread of the system took part: another run would go differently.
    case foreignThread
    /// Sockets or tasks were left when the scenario had ended.
    case leak
    /// The same seed went differently a second time.
    case divergence
    /// The request makes no sense; nothing was run.
    case configuration
    /// What must happen now and then did not happen in a whole campaign.
    case unreached
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// What happened, in a sentence.
  public let message: String
  /// The seed that shows it; nil for a failure of a whole campaign.
  public internal(set) var seed: UInt64?
  /// The faults with which it happens; the fewest that were found.
  public internal(set) var faults: FaultPlan = .none
  /// When it happened, since the beginning of the simulation.
  public internal(set) var time: Duration = .zero
  /// The last events before it.
  public internal(set) var trace: [String] = []
  /// The trace of the whole run in one number: another run of the seed has the same.
  public internal(set) var traceHash: UInt64 = 0
  /// What to do to see it again.
  public internal(set) var replay = ""

  init(_ kind: Kind, _ message: String) { (self.kind, self.message) = (kind, message) }

  /// All of it, as lines.
  public var description: String {
    var lines = ["\(kind.rawValue): \(message)"]
    if let seed {
      lines.append("seed \(seed), after \(SimulationInstant.text(time.nanoseconds)), with \(faults)")
      lines.append("trace hash \(String(traceHash, radix: 16))")
    }
    if !trace.isEmpty { lines += ["the last things that happened:"] + trace.map { "  " + $0 } }
    if !replay.isEmpty { lines.append("to see it again: \(replay)") }
    return lines.joined(separator: "\n")
  }
}

/// How a child process ended. An enumeration, because waitpid(2) knows no other ends: a switch can be complete.
public enum TerminationStatus: Hashable, Sendable, CustomStringConvertible {
  /// It exited by itself, with this status from 0 to 255. 0 is success.
  case exited(Int32)
  /// A signal ended it.
  case signaled(Int32)
  /// It has ended, but other code of this process took its status (`waitpid(-1)`, or an ignored SIGCHLD).
  case lost

  /// The status as one number: the exit status, minus the number of the signal, or 255 for a lost status. Answers
  /// `returncode`.
  public var returnCode: Int32 {
    switch self {
    case .exited(let status): status
    case .signaled(let signal): signal == .min ? .max : -signal
    case .lost: 255
    }
  }

  /// True if it exited with status 0.
  public var isSuccess: Bool { self == .exited(0) }

  /// In words.
  public var description: String {
    switch self {
    case .exited(let status): "exited with status \(status)"
    case .signaled(let signal): "ended by signal \(signal)"
    case .lost: "ended, status unknown"
    }
  }
}

internal import CAsyncIO
public import SystemPackage

/// A system call of an I/O operation failed. The description names the operation, the address, the cause and, where
/// there is one, the fix. Answers Python's `OSError`.
public struct IOError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The system's number.
  public let errno: Errno
  /// What was tried: "connect", "bind", "read".
  public let operation: String
  /// The address or descriptor it was tried on.
  public let subject: String?

  /// Create the error of an operation, with what it was about.
  public init(_ errno: Errno, _ operation: String, _ subject: String? = nil) {
    self.errno = errno
    self.operation = operation
    self.subject = subject
  }

  /// Create an error from a negated errno, as operations report it.
  init(result: Int, _ operation: String, _ subject: String? = nil) {
    self.init(Errno(rawValue: Int32(truncatingIfNeeded: 0 &- result)), operation, subject)
  }

  /// What failed, why, and what to do about it.
  public var description: String {
    var text = operation
    if let subject { text += " \(subject)" }
    text += ": \(errno.description)"
    if let advice { text += ". \(advice)" }
    return text
  }

  /// Create the error of an operation that needs a thread and cannot get one.
  static func noThread(_ error: Errno, for operation: String) -> IOError {
    IOError(error, "start a thread", "for \(operation)")
  }

  private var isUnix: Bool { subject?.contains("unix:") ?? false }

  /// What usually helps.
  private var advice: String? {
    switch errno {
    case .addressInUse where isUnix:
      "A file or a running program has the name; remove the file, end the program, or choose another path."
    case .connectionRefused where isUnix: "The program that listened there has ended; start it."
    case .noSuchFileOrDirectory where operation == "connect": "No program has made the socket; check the path."
    case .resourceTemporarilyUnavailable where operation == "connect" && isUnix:
      "The listener's queue is full; try again later."
    case .resourceTemporarilyUnavailable where operation == "start a thread" || operation == "spawn":
      "No more threads or processes: a limit of the user (`ulimit -u`), the container (pids) or the memory "
        + "(`ulimit -v`) is reached; raise it, or try again when some have ended."
    case .permissionDenied where isUnix: "The permissions of the socket or of a directory above it forbid it."
    case .addressFamilyNotSupported where operation == "bind": "Give a local address of the family of the remote one."
    case .messageTooLong where operation.hasPrefix("receive"): "The datagram is lost; give a larger buffer."
    case .messageTooLong: "A UDP datagram holds at most 65507 bytes, a Unix one what the socket's buffer holds."
    case .addressInUse: "Another program has the port; choose another one, or end that program."
    case .addressNotAvailable: "This machine does not have the address."
    case .connectionRefused: "Nothing listens there; check address and port."
    case .tooManyOpenFiles: "The limit of open files is reached; raise it with `ulimit -n`, or close connections."
    case .tooManyOpenFilesInSystem: "The system has no descriptors left; see /proc/sys/fs/file-max."
    case .permissionDenied where operation == "bind": "Ports below 1024 need a privilege; choose a higher one."
    case .noSuchFileOrDirectory where operation == "spawn" && subject?.hasPrefix("\"") == true:
      "Check the name; without a slash it is looked up in PATH."
    case .permissionDenied where operation == "spawn": "It is not executable, or its path is not accessible."
    case .argListTooLong: "Pass large data through standardInput or a file."
    case .canceled: "This program closed the connection while the operation was waiting."
    default: nil
    }
  }

  /// True if the other side ended the connection abruptly: worth a line in debug mode, not an alarm.
  var isConnectionLoss: Bool {
    let losses: [Errno] = [.connectionReset, .brokenPipe, .connectionAbort, .timedOut, .socketNotConnected]
    return losses.contains(errno)
  }
}

/// A host name could not be turned into addresses.
public struct ResolutionError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The name that was looked up.
  public let host: String
  /// The resolver's own words.
  public let reason: String

  /// Create an error.
  package init(host: String, reason: String) { (self.host, self.reason) = (host, reason) }

  /// The resolver's words, and what to do about it.
  public var description: String {
    "cannot resolve \(host.debugDescription): \(reason). Check the name and the resolver."
  }
}

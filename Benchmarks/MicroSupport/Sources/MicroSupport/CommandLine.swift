#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// As <sysexits.h> has them, but for the agreement that 2 says "not offered here".
public enum Status {
  public static let failed: Int32 = 1
  public static let notOffered: Int32 = 2
  public static let usage: Int32 = 64
}

/// End the process with a message on standard error.
public func end(_ status: Int32, _ message: String) -> Never {
  let text = message + "\n"
  write(STDERR_FILENO, text, text.utf8.count)
  exit(status)
}

/// `WORK N [PORT]`, the whole command line of a peer's program.
public struct PeerArguments: Sendable {
  public let work: String
  public let count: Int
  /// 0 if there is none.
  public let port: Int

  /// End the process if they make no sense.
  public init() {
    let words = CommandLine.arguments
    guard words.count >= 3, let count = Int(words[2]), count > 0 else {
      end(Status.usage, "usage: \(words[0]) WORK N [PORT]")
    }
    (work, self.count, port) = (words[1], count, words.count > 3 ? Int(words[3]) ?? 0 : 0)
  }

  /// End the process: the peer has no such work.
  public func notOffered() -> Never { end(Status.notOffered, "\(work) is not offered") }
}

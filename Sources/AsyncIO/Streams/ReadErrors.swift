/// The stream ended before the requested number of bytes had come. Answers asyncio's `IncompleteReadError`.
public struct IncompleteReadError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The bytes that had come.
  public let partial: [UInt8]
  /// The number of bytes expected; nil if a separator was expected.
  public let expected: Int?

  /// How much came and how much was missing.
  public var description: String {
    let wanted = expected.map { "\($0) bytes" } ?? "a separator"
    return "the stream ended after \(partial.count) bytes, before \(wanted)"
  }
}

/// More bytes came than the limit of a read allows. They are left in place, except for a child's output. Answers
/// asyncio's `LimitOverrunError`.
public struct LimitOverrunError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the read went up to. There may be more goals later.
  public struct Goal: Hashable, Sendable, CustomStringConvertible {
    fileprivate enum Name { case separator, end, output }

    fileprivate let name: Name

    /// Its name.
    public var description: String { "\(name)" }

    /// A separator or the end of a line, which did not come within the limit.
    public static var separator: Goal { Goal(name: .separator) }
    /// The end of the stream; more bytes than the limit came before it.
    public static var end: Goal { Goal(name: .end) }
    /// The end of a child's output, see
    /// ``ChildProcess/run(_:_:input:environment:workingDirectory:standardOutput:standardError:processGroup:limit:)``.
    public static var output: Goal { Goal(name: .output) }
  }

  /// The limit in bytes.
  public let limit: Int
  /// What the read was looking for.
  public let goal: Goal

  /// The limit, and what to do about it.
  public var description: String {
    let remedy = "Raise the limit, or read the bytes another way: they are still there."
    return switch goal.name {
    case .separator: "no separator within \(limit) bytes. \(remedy)"
    case .end: "the stream has more than \(limit) bytes. \(remedy)"
    case .output:
      "the child wrote more than \(limit) bytes and was ended. Raise the limit, or spawn it and read its pipe."
    }
  }
}

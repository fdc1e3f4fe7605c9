package import AsyncIO

/// One check of the conformance list: a line, or one facet of a line.
///
/// A check is data and a body. The body is synchronous, has a thread of its own, and may block it: it calls
/// `loop.runForever()` or the synchronous `loop.run { }`. It states what it expects by the methods of its
/// ``ConformanceSubject``, which record what was seen and throw if that is something else.
public struct ConformanceCheck: Sendable, Identifiable {
  /// What a check needs of its surroundings.
  public struct Surroundings: OptionSet, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// Create a set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Touches state of the whole process (its policy, a signal) and restores it. Nothing may run at the same time.
    public static let serial = Surroundings(rawValue: 1)
    /// Needs a process of its own, and runs in its main thread: the rules of the main thread, `fork`, runs that take
    /// the process over, what ends the process.
    public static let ownProcess = Surroundings(rawValue: 2)
    /// Sends signals to its process, or changes what the process does on one. Not offered where no process can.
    package static let signals = Surroundings(rawValue: 4)
    /// Forks its process. Not offered where no process can.
    package static let forks = Surroundings(rawValue: 8)
  }

  /// The number in the list.
  public let line: Int
  /// Which facet of the line this is, in one word; nil for the only one.
  public let facet: String?
  /// What has to hold, in a sentence.
  public let title: String
  /// What the loop's mechanism has to offer; without it the check is not offered.
  package let capabilities: IOCapabilities
  /// What it needs of its surroundings.
  public let surroundings: Surroundings
  /// What CPython does, in a sentence that begins with "CPython", if that differs on purpose.
  public let deviation: String?
  /// Precondition, action, expectation.
  public let body: @Sendable (ConformanceSubject) throws -> Void

  /// Create a check of one line that every loop is held to.
  ///
  /// - Parameters:
  ///   - line: the number in the list.
  ///   - title: what has to hold, in a sentence.
  ///   - facet: one word where a line has several checks: "cancel".
  ///   - surroundings: what the check needs of its process.
  ///   - deviation: what CPython does, if that differs on purpose.
  ///   - body: precondition, action, expectation.
  public init(
    _ line: Int, _ title: String, facet: String? = nil, surroundings: Surroundings = [], deviation: String? = nil,
    body: @escaping @Sendable (ConformanceSubject) throws -> Void
  ) {
    self.init(
      line, title, facet: facet, capabilities: [], surroundings: surroundings, deviation: deviation, body: body)
  }

  /// Create a check of one line, for loops whose mechanism offers what it needs.
  ///
  /// - Parameters:
  ///   - line: the number in the list.
  ///   - title: what has to hold, in a sentence.
  ///   - facet: one word where a line has several checks: "cancel".
  ///   - capabilities: what the loop's mechanism has to offer.
  ///   - surroundings: what the check needs of its process.
  ///   - deviation: what CPython does, if that differs on purpose.
  ///   - body: precondition, action, expectation.
  package init(
    _ line: Int, _ title: String, facet: String? = nil, capabilities: IOCapabilities,
    surroundings: Surroundings = [], deviation: String? = nil,
    body: @escaping @Sendable (ConformanceSubject) throws -> Void
  ) {
    precondition(ConformanceGroup(line: line) != nil, "line \(line) is not in the list")
    self.line = line
    self.facet = facet
    self.title = title
    self.capabilities = capabilities
    self.surroundings = surroundings
    self.deviation = deviation
    self.body = body
  }

  /// The group of the line.
  public var group: ConformanceGroup {
    guard let group = ConformanceGroup(line: line) else { preconditionFailure("line \(line) is not in the list") }
    return group
  }

  /// The check's unique name: "70", "70-cancel".
  public var id: String { facet.map { "\(line)-\($0)" } ?? "\(line)" }
}

/// The groups of the list.
public enum ConformanceGroup: String, Sendable, CaseIterable {
  case policy = "A"
  case lifeCycle = "B"
  case scheduling = "C"
  case threads = "D"
  case descriptors = "E"
  case socketOperations = "F"
  case connections = "G"
  case datagrams = "H"
  case unixSocketsAndPipes = "I"
  case signals = "J"
  case subprocesses = "K"
  case executorAndNames = "L"
  case protection = "M"
  case futuresAndTasks = "N"
  case runnerAndDebug = "O"

  /// The lines of the group.
  public var lines: ClosedRange<Int> {
    switch self {
    case .policy: 1...18
    case .lifeCycle: 19...31
    case .scheduling: 32...47
    case .threads: 48...55
    case .descriptors: 56...64
    case .socketOperations: 65...75
    case .connections: 76...105
    case .datagrams: 106...114
    case .unixSocketsAndPipes: 115...122
    case .signals: 123...129
    case .subprocesses: 130...142
    case .executorAndNames: 143...148
    case .protection: 149...156
    case .futuresAndTasks: 157...171
    case .runnerAndDebug: 172...180
    }
  }

  /// The group that a line is in.
  public init?(line: Int) {
    guard let group = Self.allCases.first(where: { $0.lines.contains(line) }) else { return nil }
    self = group
  }
}

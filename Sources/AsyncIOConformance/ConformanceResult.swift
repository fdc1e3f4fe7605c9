/// The result of one check.
public struct ConformanceResult: Sendable {
  /// How a check ended.
  public enum Outcome: Sendable, Equatable {
    /// All that was expected was seen.
    case passed
    /// What was expected, and what was seen instead.
    case failed(String)
    /// The loop, the system or the host does not have what the check needs; the text says why.
    case notOffered(String)
  }

  /// The check.
  public let check: ConformanceCheck
  /// How it ended.
  public var outcome: Outcome
  /// What was seen, in order: a name, and a value that another implementation can be compared with.
  public var seen: [Observation]

  /// Create a result of a check.
  public init(check: ConformanceCheck, outcome: Outcome, seen: [Observation] = []) {
    self.check = check
    self.outcome = outcome
    self.seen = seen
  }

  /// "33 failed: expected …": the text for a test's message.
  public var description: String {
    let seen = seen.map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
    let about = "line \(check.id), \(check.title)"
    return switch outcome {
    case .passed: "\(about): passed (\(seen))"
    case .failed(let why): "\(about): FAILED: \(why) (\(seen))"
    case .notOffered(let why): "\(about): not offered: \(why)"
    }
  }
}

/// One thing that a check saw, as text.
public struct Observation: Sendable, Equatable {
  /// What it is: "order".
  public var name: String
  /// What was seen: "a b c".
  public var value: String

  /// Create an observation from a name and a value, both without line ends.
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// The results of all checks that were run.
public struct ConformanceReport: Sendable {
  /// The name under which the loop was checked.
  public let loopName: String
  /// One for each check, in the order of the list.
  public var results: [ConformanceResult]

  /// Create a report about a loop.
  public init(loopName: String, results: [ConformanceResult]) {
    self.loopName = loopName
    self.results = results
  }

  /// The results of the checks that failed.
  public var failures: [ConformanceResult] {
    results.filter { if case .failed = $0.outcome { true } else { false } }
  }

  /// True if no check failed.
  public var isConforming: Bool { failures.isEmpty }

  /// "epoll: 172 checks of 160 lines: 171 passed, 0 failed, 1 not offered".
  public var summary: String {
    let passed = results.count { $0.outcome == .passed }
    let failed = failures.count
    let lines = Set(results.map(\.check.line)).count
    return "\(loopName): \(results.count) checks of \(lines) lines: \(passed) passed, \(failed) failed, "
      + "\(results.count - passed - failed) not offered"
  }
}

internal import AsyncIO

// A check leaves no descriptor open. That can only be seen if nothing else in the process opens any, and if the system
// lists them; so it is done for checks that are run one after another, on Linux.

extension ConformanceSuite {
  /// Run a check, and count descriptors before and after. Some are made on first use and kept for good, by this package
  /// and by the platform, so a check that seems to leave some is run again: a leak is what grows each time.
  static func runAndCount(
    _ check: ConformanceCheck, limit: Duration, factory: @escaping @Sendable () throws -> any EventLoop
  ) -> ConformanceResult {
    var result: ConformanceResult!
    var left: [String] = []
    for _ in 0..<2 {
      let before = OpenDescriptors.now
      result = run(check, limit: limit, factory: factory)
      guard result.outcome == .passed else { return result }
      if let lost = OpenDescriptors.standardOnes(of: before).first(where: { OpenDescriptors.now[$0] == nil }) {
        result.outcome = .failed("closed descriptor \(lost), which is not its own")
        return result
      }
      left = OpenDescriptors.settled(to: before)
      if left.isEmpty { return result }
    }
    result.outcome = .failed("left open: \(left.joined(separator: ", "))")
    return result
  }
}

/// The descriptors that the process has open, with what they are.
private enum OpenDescriptors {
  /// What each number stands for. Empty if the system does not list them. Timers belong to the platform, which makes
  /// them at any time.
  static var now: [Int32: String] { Process.descriptors.filter { $0.value != "anon_inode:[timerfd]" } }

  /// Return those among them that are always the program's: only the program may close them. A number that is taken for
  /// a descriptor by mistake is most often one of these.
  static func standardOnes(of descriptors: [Int32: String]) -> [Int32] {
    (0..<3).filter { descriptors[$0] != nil }
  }

  /// Return what is open beyond what was. Threads may still be on their way out, so it looks several times.
  static func settled(to before: [Int32: String]) -> [String] {
    for _ in 0..<200 {
      if now.count <= before.count { return [] }
      Process.block(milliseconds: 5)
    }
    return now.filter { before[$0.key] == nil }.map { "\($0.key) (\($0.value))" }.sorted()
  }
}

internal import AsyncIO

extension ConformanceSuite {
  static let subprocessChecks: [ConformanceCheck] = []
}

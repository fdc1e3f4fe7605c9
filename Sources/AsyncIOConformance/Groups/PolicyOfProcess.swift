internal import AsyncIO

extension ConformanceSuite {
  static let policyProcessChecks: [ConformanceCheck] = []
}

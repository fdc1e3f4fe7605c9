internal import AsyncIO

extension ConformanceSuite {
  static let policyChecks: [ConformanceCheck] = []
}

internal import AsyncIO

extension ConformanceSuite {
  static let futureAndTaskChecks: [ConformanceCheck] = []
}

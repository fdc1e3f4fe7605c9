internal import AsyncIO

extension ConformanceSuite {
  static let executorAndNameChecks: [ConformanceCheck] = []
}

internal import AsyncIO

extension ConformanceSuite {
  static let lifeCycleChecks: [ConformanceCheck] = []
}

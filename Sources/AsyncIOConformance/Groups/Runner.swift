internal import AsyncIO

extension ConformanceSuite {
  static let runnerChecks: [ConformanceCheck] = []
}

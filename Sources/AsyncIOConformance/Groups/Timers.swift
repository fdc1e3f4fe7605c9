internal import AsyncIO

extension ConformanceSuite {
  static let timerChecks: [ConformanceCheck] = []
}

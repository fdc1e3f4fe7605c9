internal import AsyncIO

extension ConformanceSuite {
  static let serverChecks: [ConformanceCheck] = []
}

internal import AsyncIO

extension ConformanceSuite {
  static let transportChecks: [ConformanceCheck] = []
}

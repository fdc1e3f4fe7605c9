internal import AsyncIO

extension ConformanceSuite {
  static let threadChecks: [ConformanceCheck] = []
}

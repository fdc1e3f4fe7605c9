internal import AsyncIO

extension ConformanceSuite {
  static let connectionChecks: [ConformanceCheck] = []
}

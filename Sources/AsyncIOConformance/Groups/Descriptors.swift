internal import AsyncIO

extension ConformanceSuite {
  static let descriptorChecks: [ConformanceCheck] = []
}

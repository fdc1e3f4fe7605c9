internal import AsyncIO

extension ConformanceSuite {
  static let datagramChecks: [ConformanceCheck] = []
}

internal import AsyncIO

extension ConformanceSuite {
  static let debugChecks: [ConformanceCheck] = []
}

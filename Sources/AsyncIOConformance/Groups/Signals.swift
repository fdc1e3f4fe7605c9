internal import AsyncIO

extension ConformanceSuite {
  static let signalChecks: [ConformanceCheck] = []
}

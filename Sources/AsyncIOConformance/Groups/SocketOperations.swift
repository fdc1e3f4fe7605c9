internal import AsyncIO

extension ConformanceSuite {
  static let socketOperationChecks: [ConformanceCheck] = []
}

internal import AsyncIO

extension ConformanceSuite {
  static let unixSocketAndPipeChecks: [ConformanceCheck] = []
}
